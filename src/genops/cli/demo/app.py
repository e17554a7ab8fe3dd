"""The application of the demo: three teams, real SDKs, sync, async and streamed. No call in it knows of GenOps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai

import genops

__all__ = ["JUDGED", "TICKET_LIMITS", "Application"]

TICKET_LIMITS = (1024, 512)  # output tokens that the first and the second answer to a ticket may take
JUDGED = ("answer-ticket",)  # features whose answers are evaluated
_TICKET = "Help me, I am ada.lovelace@example.org and paid with 4111 1111 1111 1111."
_CUSTOMERS = ("acme", "globex", "initech", "umbrella")


class Application:
    """Handles the requests of three teams. `refused` and `failed` collect what went wrong, as an application would."""

    def __init__(self, url: str) -> None:
        self._base_url = f"{url}/v1"
        self._openai = openai.OpenAI(api_key="demo", base_url=self._base_url, max_retries=0)
        self._anthropic = anthropic.Anthropic(api_key="demo", base_url=url, max_retries=0)
        self.refused: list[genops.GenOpsBlocked] = []
        self.failed: list[str] = []
        self._judged = 0

    def requests(self) -> Iterator[tuple[str, str, str, Callable[[], Any]]]:
        """Every request of a day: team, customer, feature, and what its handler does."""
        for number in range(22):
            customer = _CUSTOMERS[number % len(_CUSTOMERS)]
            yield "support", customer, "answer-ticket", self._answer_ticket
            yield "support", customer, "summarise", self._summarise
            yield "search", customer, "embed-query", self._embed
            yield "search", customer, "rerank", self._rerank
            yield "growth", customer, "write-copy", self._write_copy
            if number % 4 == 0:
                yield "search", customer, "web-answer", self._web_answer
                yield "growth", customer, "own-model", self._own_model
            if number % 11 == 0:
                yield "growth", customer, "write-copy", self._forbidden_model
                yield "support", customer, "answer-ticket", self._provider_down

    def handle(self, team: str, customer: str, feature: str, handler: Callable[[], Any]) -> None:
        """One request: attribution once, at the edge, then plain calls."""
        with genops.attribution(team=team, customer_id=customer, feature=feature), genops.track(feature):
            try:
                handler()
                if feature in JUDGED:
                    self._judge()
            except genops.GenOpsBlocked as refusal:
                self.refused.append(refusal)
            except (openai.APIError, anthropic.APIError) as error:
                self.failed.append(type(error).__name__)

    def _judge(self) -> None:
        """What a judge says of the answer: made up, as is the judge."""
        self._judged += 1
        genops.record_evaluation("helpfulness", 0.7 + self._judged * 7 % 10 * 0.03, threshold=0.75)

    def close(self) -> None:
        self._openai.close()
        self._anthropic.close()

    def _answer_ticket(self) -> None:
        self._anthropic.messages.create(
            model="claude-3-7-sonnet-20250219", max_tokens=TICKET_LIMITS[0], messages=_say(_TICKET)
        )
        with self._anthropic.messages.stream(
            model="claude-sonnet-4-5", max_tokens=TICKET_LIMITS[1], messages=_say("And then?")
        ) as stream:
            stream.get_final_message()

    def _summarise(self) -> None:
        for _ in self._openai.chat.completions.create(model="gpt-4.1", messages=_say("Summarise."), stream=True):
            pass
        self._openai.chat.completions.create(model="gpt-4.1", messages=_say("Shorter."))

    def _embed(self) -> None:
        self._openai.embeddings.create(model="text-embedding-3-small", input="red shoes", encoding_format="float")

    def _rerank(self) -> None:
        asyncio.run(self._rerank_async())

    async def _rerank_async(self) -> None:
        model, messages = "gpt-5-nano", _say("Which fits best?")
        async with openai.AsyncOpenAI(api_key="demo", base_url=self._base_url, max_retries=0) as client:
            await asyncio.gather(*(client.chat.completions.create(model=model, messages=messages) for _ in range(2)))

    def _write_copy(self) -> None:
        stream = self._openai.chat.completions.create(model="gpt-4o", messages=_say("Sell."), stream=True)
        with stream:
            for number, _ in enumerate(stream):
                if number == 2:
                    break  # the user has seen enough
        self._openai.responses.create(model="gpt-5-mini", input="Sell it again.")

    def _web_answer(self) -> None:
        self._openai.responses.create(model="gpt-5.2", input="What is new?", tools=[{"type": "web_search"}])

    def _own_model(self) -> None:
        self._openai.chat.completions.create(model="shop-7b", messages=_say("Hello."))

    def _forbidden_model(self) -> None:
        self._anthropic.messages.create(model="claude-opus-4-6", max_tokens=4096, messages=_say("Be brilliant."))

    def _provider_down(self) -> None:
        self._openai.chat.completions.create(model="gpt-4.1-nano", messages=_say("Anyone there?"))


def _say(text: str) -> Any:
    return [{"role": "user", "content": text}]
