"""Run in the clients' environment: OpenAI's own client asks a node for models and embeddings. Prints JSON."""

import json
import sys

import openai

client = openai.OpenAI(base_url=f"http://{sys.argv[1]}/v1", api_key="unused", max_retries=0)
model = client.models.list().data[0].id
as_base64 = client.embeddings.create(model=model, input=["VPN does not connect", "printer"])  # the client's default
as_floats = client.embeddings.create(model=model, input="VPN does not connect", encoding_format="float")
try:
    client.embeddings.create(model=model, input="x", dimensions=7)
    dimensions = ""
except openai.BadRequestError as error:
    dimensions = error.body["message"] if isinstance(error.body, dict) else str(error)
try:
    client.embeddings.create(model="no-such-model", input="x")
    unknown = ""
except openai.NotFoundError as error:
    unknown = error.code or str(error)
print(
    json.dumps(
        {
            "model": model,
            "count": len(as_base64.data),
            "length": len(as_floats.data[0].embedding),
            "same": max(
                abs(a - b) for a, b in zip(as_base64.data[0].embedding, as_floats.data[0].embedding, strict=True)
            ),
            "norm": sum(x * x for x in as_floats.data[0].embedding),
            "tokens": as_floats.usage.prompt_tokens,
            "dimensions": dimensions,
            "unknown": unknown,
        }
    )
)
