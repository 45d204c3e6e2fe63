"""The report page's style sheet: system fonts, two colour schemes, colours that survive colour blindness."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root{--paper:#fbfaf7;--card:#fff;--ink:#1d2126;--soft:#59616b;--line:#dfdcd4;--c1:#1f66b1;--c2:#b3540a;--c3:#4d7a27;
--warn:#9a3b00;--tint:#1f66b1}
@media(prefers-color-scheme:dark){:root{--paper:#15181c;--card:#1c2025;--ink:#e9e7e2;--soft:#a3abb5;--line:#343a42;
--c1:#6fb1f5;--c2:#f2a35e;--c3:#9ccb74;--warn:#ffb27a;--tint:#3b82c9}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",sans-serif}
main{max-width:68rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
header{margin-bottom:2rem}
.eyebrow{margin:0;color:var(--soft);font-size:.85rem;letter-spacing:.06em;text-transform:uppercase}
h1{margin:.1rem 0 .4rem;font-size:2.1rem;line-height:1.2}
h1 span{color:var(--soft);font-weight:400}
h2{margin:0 0 .6rem;font-size:1.3rem}
h3{margin:1.6rem 0 .4rem;font-size:1.05rem}
p{max-width:46rem;margin:.4rem 0 .8rem}
section{margin:1.25rem 0;padding:1.4rem 1.5rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
.note,figcaption,small,caption{color:var(--soft)}
.note,figcaption{font-size:.9rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;margin:.4rem 0 .8rem;font-variant-numeric:tabular-nums;font-size:.94rem}
caption{text-align:left;padding:.2rem 0 .4rem;font-size:.9rem}
th,td{padding:.38rem .8rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap;font-weight:400}
thead th{color:var(--soft);font-size:.85rem;vertical-align:bottom}
tbody th,thead th:first-child{text-align:left;padding-left:0}
tbody th{font-weight:500}
.confusion td{padding:2px}.confusion thead th{padding:.38rem .6rem}
.confusion .cell{display:block;min-width:3.6rem;padding:.4rem .6rem;border-radius:4px;
background:color-mix(in srgb,var(--tint) calc(var(--share)*62%),transparent)}
.bar{display:block;min-width:6rem;padding:0 .35rem;border-radius:3px;background:linear-gradient(90deg,
color-mix(in srgb,var(--tint) 28%,transparent) calc(var(--share)*100%),transparent 0)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:1.2rem;margin:1rem 0}
figure h3{margin:0 0 .3rem}
figure{margin:0;max-width:34rem}
.beside{display:flex;flex-wrap:wrap;gap:.4rem 2.5rem;align-items:flex-start}.beside>*{max-width:100%}
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}
.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1;fill:none}
.ideal{stroke:var(--soft);stroke-dasharray:5 4;fill:none}
.line{fill:none;stroke-width:2}.error{fill:none;stroke-width:1.5}
.tick,.name{fill:var(--soft)}.label{fill:var(--ink)}
.line.c1,.error.c1{stroke:var(--c1)}.line.c2,.error.c2{stroke:var(--c2)}.line.c3,.error.c3{stroke:var(--c3)}
.line.c2.bare{stroke-dasharray:7 3}
.mark{stroke:var(--card);stroke-width:1.2;fill-opacity:.78}
.mark.c1{fill:var(--c1)}.mark.c2{fill:var(--c2)}.mark.c3{fill:var(--c3)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.2rem;margin:.8rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--c1)}
.findings{list-style:none;margin:.4rem 0;padding:0}
.findings>li{margin:.5rem 0;padding-left:.9rem;border-left:3px solid var(--line)}
.findings>li.warning{border-color:var(--warn)}.findings b{font-weight:600;margin-right:.3rem}
.findings li.warning>b{color:var(--warn)}
code{font:.88em ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
:focus-visible{outline:2px solid var(--c1);outline-offset:2px}
@media(max-width:34rem){dl{grid-template-columns:1fr}dt{margin-top:.4rem}section{padding:1rem}}
@media print{section{break-inside:avoid;border:0;padding:0}body{background:#fff}}
"""
