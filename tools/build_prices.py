"""Build src/genops/data/prices.json from the genai-prices data set and spec/prices/patches.yaml.

`--check` says whether the file is up to date. Needs the dependency group `data`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from genai_prices import types
from genai_prices.data import providers

ROOT = Path(__file__).resolve().parent.parent
PATCHES, TARGET = ROOT / "spec/prices/patches.yaml", ROOT / "src/genops/data/prices.json"

# genai-prices' name -> gen_ai.provider.name, where they differ.
NAMES = {
    "aws": "aws.bedrock",
    "azure": "azure.ai.openai",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "together": "together_ai",
    "voyageai": "voyage_ai",
    "x-ai": "x_ai",
}
MILLION, THOUSAND, HOUR = 1_000_000, 1_000, 3_600
METERS = {
    "input_mtok": ("input", MILLION),
    "output_mtok": ("output", MILLION),
    "cache_read_mtok": ("cache_read", MILLION),
    "cache_write_mtok": ("cache_write", MILLION),
    "cache_write_1h_mtok": ("cache_write_1h", MILLION),
    "input_audio_mtok": ("input_audio", MILLION),
    "input_image_mtok": ("input_image", MILLION),
    "input_video_mtok": ("input_video", MILLION),
    "cache_audio_read_mtok": ("cache_read_audio", MILLION),
    "cache_image_read_mtok": ("cache_read_image", MILLION),
    "output_audio_mtok": ("output_audio", MILLION),
    "output_image_mtok": ("output_image", MILLION),
    "output_video_mtok": ("output_video", MILLION),
    "web_searches_kcount": ("web_searches", THOUSAND),
    "storage_searches_kcount": ("file_searches", THOUSAND),
    "requests_kcount": ("requests", THOUSAND),
    "input_mchars": ("input_characters", MILLION),
    "input_document_kpages": ("pages", THOUSAND),
    "input_annotated_document_kpages": ("pages_annotated", THOUSAND),
    "audio_hours": ("audio_seconds", HOUR),
    "input_audio_hours": ("audio_seconds", HOUR),
}


def money(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


def meters(prices: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in vars(prices).items():
        if value is None or key not in METERS:
            continue
        meter, per = METERS[key]
        if isinstance(value, types.TieredPrices):
            tiers = [[">", tier.start, money(tier.price)] for tier in value.tiers]
            made[meter] = {"price": money(value.base), "per": per, "tiers": tiers}
        else:
            made[meter] = {"price": money(value), "per": per}
    return made


def when(constraint: Any) -> dict[str, Any] | None:
    if constraint is None:
        return None
    if isinstance(constraint, types.StartDateConstraint):
        return {"from": constraint.start_date.isoformat()}
    return {"hours": [constraint.start_time.strftime("%H:%M"), constraint.end_time.strftime("%H:%M")]}


def clause(match: Any) -> dict[str, Any]:
    name = type(match).__name__.removeprefix("Clause")
    if name in ("Or", "And"):
        return {name.lower(): [clause(item) for item in (match.or_ if name == "Or" else match.and_)]}
    key = {"Equals": "equals", "StartsWith": "starts_with", "EndsWith": "ends_with", "Contains": "contains"}.get(
        name, "regex"
    )
    text = getattr(match, key)
    # Go's regular expressions, which take linear time, know no lookahead.
    if key == "regex" and text.startswith("^(?!") and text.endswith(")"):
        return {"not": {"regex": f"^{text.removeprefix('^(?!').removesuffix(')')}"}}
    return {key: text}


def model(info: Any, patch: dict[str, Any]) -> dict[str, Any]:
    rows = (
        info.prices if isinstance(info.prices, list) else [types.ConditionalPrice(constraint=None, prices=info.prices)]
    )
    prices = []
    for row in rows:
        made = {"meters": meters(row.prices)}
        if (condition := when(row.constraint)) is not None:
            made["when"] = condition
        prices.append(made)
    for name, meter, day, price in patch.get("history", ()):
        if name == info.id and len(prices) == 1:
            before = {**prices[0]["meters"], meter: {**prices[0]["meters"][meter], "price": price}}
            prices = [{"meters": before}, {"meters": prices[0]["meters"], "when": {"from": day}}]
    peak = patch.get("peak")
    if peak and info.id.startswith(peak["models"].rstrip("*")):
        for row in prices:
            if "hours" in row.get("when", {}):
                row["when"] |= {key: peak[key] for key in ("from", "weekdays", "timezone")}
    factor = patch.get("long_cache_write")
    for row in prices if factor else ():
        short = row["meters"].get("cache_write")
        if short is not None:
            long = {**short, "price": money(Decimal(short["price"]) * Decimal(factor))}
            if "tiers" in short:
                long["tiers"] = [[o, n, money(Decimal(p) * Decimal(factor))] for o, n, p in short["tiers"]]
            row["meters"]["cache_write_12h"] = long
    made_model: dict[str, Any] = {"id": info.id, "match": clause(info.match), "prices": prices}
    variants = []
    for variant in info.price_variants or ():
        made = {"for": dict(variant.when), "meters": meters(variant.prices)}
        if (condition := when(variant.constraint)) is not None:
            made["when"] = condition
        variants.append(made)
    if variants:
        made_model["variants"] = variants
    return made_model


def patched_model(name: str, prices: dict[str, Any]) -> dict[str, Any]:
    made = {}
    for meter, price in prices.items():
        amount, per = price if isinstance(price, list) else (price, MILLION)
        made[meter] = {"price": amount, "per": per}
    exact = {"equals": name} if not name.startswith("ft:") else {"regex": f"^{name.replace('.', '[.]')}(-[0-9]|:|$)"}
    return {"id": name, "match": exact, "prices": [{"meters": made}]}


def build() -> str:
    patches: dict[str, Any] = yaml.safe_load(PATCHES.read_text())
    made: dict[str, Any] = {}
    for provider in providers:
        name = NAMES.get(provider.id, provider.id)
        patch = patches.get(name, {})
        models = [patched_model(key, prices) for key, prices in patch.get("models", {}).items()]
        models += [model(info, patch) for info in provider.models]
        fallback = [NAMES.get(other, other) for other in provider.fallback_model_providers or ()]
        made[name] = {"fallback": fallback, "models": models} | _rules(patch)
    for name, patch in patches.items():
        made.setdefault(name, {"fallback": [], "models": []} | _rules(patch))
    made["gcp.vertex_ai"]["fallback"] = ["gcp.gemini", "anthropic", "mistral_ai"]
    release = metadata.version("genai-prices")
    body = json.dumps(made, sort_keys=True)
    version = f"genai-prices-{release}+{hashlib.sha256(body.encode()).hexdigest()[:8]}"
    document = {"schema_version": 1, "version": version, "currency": "USD", "providers": made}
    return json.dumps(document, indent=None, separators=(",", ":"), sort_keys=False) + "\n"


def _rules(patch: dict[str, Any]) -> dict[str, Any]:
    return {key: patch[key] for key in ("fees", "factors", "minimum", "free") if key in patch}


def main() -> int:
    document = build()
    if "--check" in sys.argv:
        if TARGET.exists() and TARGET.read_text() == document:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is out of date.\n  fix: make generate")
        return 1
    TARGET.write_text(document)
    print(f"{TARGET.relative_to(ROOT)}: {len(document) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
