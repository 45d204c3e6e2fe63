"""Run in the clients' environment: NVIDIA's own HTTP client asks a node for everything a user would. Prints JSON."""

import json
import sys

import numpy as np
import tritonclient.http as triton

address, model, binary = sys.argv[1], sys.argv[2], sys.argv[3] == "binary"
client = triton.InferenceServerClient(address)
texts = np.array([["VPN does not connect"], ["please order a new laptop"]], dtype=object)
asked = triton.InferInput("text", list(texts.shape), "BYTES")
asked.set_data_from_numpy(texts, binary_data=binary)
names = ("score", "priority_probabilities", "priority", "route")
wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
answer = client.infer(model, [asked], outputs=wanted, request_id="req-1")


def texts_of(name: str) -> list[str]:
    """JSON tensors come as str, binary ones as bytes."""
    return [value if isinstance(value, str) else value.decode() for value in answer.as_numpy(name)]


metadata = client.get_model_metadata(model)
try:
    client.infer("no-such-model", [asked])
    refused = ""
except triton.InferenceServerException as error:
    refused = str(error)
print(
    json.dumps(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": client.is_model_ready(model),
            "server": client.get_server_metadata()["name"],
            "inputs": metadata["inputs"],
            "outputs": sorted(output["name"] for output in metadata["outputs"]),
            "id": answer.get_response()["id"],
            "parameters": answer.get_response().get("parameters", {}),
            "score": answer.as_numpy("score").tolist(),
            "probabilities_shape": list(answer.as_numpy("priority_probabilities").shape),
            "priority": texts_of("priority"),
            "route": texts_of("route"),
            "refused": refused,
        }
    )
)
