"""Run in the clients' environment: KServe's REST client asks a node with protocol v2. Prints JSON."""

import asyncio
import json
import sys

from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

address, model = f"http://{sys.argv[1]}", sys.argv[2]


async def ask() -> dict[str, object]:
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=10))
    text = InferInput(name="text", shape=[2], datatype="BYTES", data=["VPN does not connect", "please order a laptop"])
    answer = await client.infer(
        address, InferRequest(model_name=model, infer_inputs=[text], request_id="req-2"), model_name=model
    )
    outputs = {output.name: output.data for output in answer.outputs}
    return {
        "live": await client.is_server_live(address),
        "ready": await client.is_server_ready(address),
        "model_ready": await client.is_model_ready(address, model),
        "id": answer.id,
        "priority": list(outputs["priority"]),
        "score": list(outputs["score"]),
    }


print(json.dumps(asyncio.run(ask())))
