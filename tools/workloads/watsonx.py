"""What the generated examples and pages of watsonx are made of; tools/build_examples.py cuts it out by name."""

import os
from collections.abc import Iterator
from typing import Any

from ibm_watsonx_ai import APIClient, Credentials
from ibm_watsonx_ai.foundation_models import ModelInference
from ibm_watsonx_ai.wml_client_error import WMLClientError

TITLE = "watsonx"
SMALL = "ibm/granite-3-8b-instruct"
LARGE = "meta-llama/llama-3-3-70b-instruct"
ERROR = WMLClientError
SETTINGS: dict[str, Any] = {
    "custom_rates": [
        {"provider": "ibm.watsonx.ai", "model": "*", "unit": "resource_unit_1k_tokens", "usd": "0.0006"}  # by plan
    ]
}


def make_client() -> APIClient:
    """IBM Cloud needs key and project; WATSONX_TOKEN and WATSONX_PLATFORM_URL are for a platform of your own."""
    credentials = Credentials(
        url=os.environ.get("WATSONX_URL", "https://us-south.ml.cloud.ibm.com"),
        api_key=os.environ.get("WATSONX_APIKEY"),
        token=os.environ.get("WATSONX_TOKEN"),
        platform_url=os.environ.get("WATSONX_PLATFORM_URL"),
    )
    return APIClient(credentials, project_id=os.environ["WATSONX_PROJECT_ID"])


def ask(client: APIClient, question: str, model: str = SMALL) -> str:
    inference = ModelInference(model_id=model, api_client=client, validate=False)
    return str(inference.generate_text(prompt=question, params={"max_new_tokens": 300}))


def stream(client: APIClient, question: str) -> Iterator[str]:
    inference = ModelInference(model_id=SMALL, api_client=client, validate=False)
    for text in inference.generate_text_stream(prompt=question, params={"max_new_tokens": 300}):
        yield str(text)


async def ask_async(question: str) -> str:
    inference = ModelInference(model_id=SMALL, api_client=make_client(), validate=False)
    response = await inference.agenerate(prompt=question, params={"max_new_tokens": 300})
    return str(response["results"][0]["generated_text"])
