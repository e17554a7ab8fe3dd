"""FOCUS columns: which ones a Cost and Usage file of each version has, and their types.

Source: FinOps Open Cost and Usage Specification, Cost and Usage data set, versions 1.2, 1.3 and 1.4.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["AMOUNTS", "EXTENSIONS", "MANDATORY", "TIMES", "FocusVersion", "columns_of"]


class FocusVersion(StrEnum):
    """The versions that can be written."""

    V1_2 = "1.2"
    V1_3 = "1.3"
    V1_4 = "1.4"


_COMMON = (
    *("AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType"),
    *("BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId"),
    *("CapacityReservationStatus", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"),
    *("ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory", "CommitmentDiscountId"),
    *("CommitmentDiscountName", "CommitmentDiscountQuantity", "CommitmentDiscountStatus", "CommitmentDiscountType"),
    *("CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice"),
    *("EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory"),
    *("PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    *("PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "RegionId", "RegionName", "ResourceId"),
    *("ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory", "SkuId", "SkuMeter"),
    *("SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags"),
)
_UNTIL_1_3 = ("ProviderName", "PublisherName")
_SINCE_1_3 = (
    *("AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId", "AllocatedResourceName", "AllocatedTags"),
    *("ContractApplied", "HostProviderName", "ServiceProviderName"),
)
_SINCE_1_4 = ("CommitmentProgramEligibilityDetails", "InvoiceDetailId")
_ADDED = {
    FocusVersion.V1_2: _UNTIL_1_3,
    FocusVersion.V1_3: _UNTIL_1_3 + _SINCE_1_3,
    FocusVersion.V1_4: _SINCE_1_3 + _SINCE_1_4,
}
# Columns of ours; FOCUS reserves the prefix x_ for them.
EXTENSIONS = (
    *("x_CacheAction", "x_CallId", "x_Calls", "x_CostStatus", "x_Model", "x_PriceDataVersion", "x_Processing"),
    *("x_ServiceTier", "x_TokenDirection"),
)
MANDATORY = (
    *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory"),
    *("ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost"),
    *("ServiceCategory", "ServiceName"),
)  # in every version, and never null
AMOUNTS = frozenset(
    {
        *("BilledCost", "CommitmentDiscountQuantity", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice"),
        *("EffectiveCost", "ListCost", "ListUnitPrice", "PricingCurrencyContractedUnitPrice"),
        *("PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity"),
    }
)
TIMES = frozenset({"BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"})


def columns_of(version: FocusVersion) -> tuple[str, ...]:
    """The columns of a version in alphabetical order, ours after them."""
    return (*sorted(_COMMON + _ADDED[version]), *EXTENSIONS)
