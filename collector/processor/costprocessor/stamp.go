package costprocessor

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/pricing"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

const (
	mostAttributes = 14 // that are put on most calls, besides the attribution and what each meter has
	behind         = 10 // that the processors behind this one put on most calls: making room once spares two copies of all
)

// origin is what identifies a call, and when it began.
type origin struct {
	id [26]byte
	at pcommon.Timestamp
}

// stamp prices a call and writes down what it costs, for whom; the answer is the status.
func (p *costProcessor) stamp(attributes pcommon.Map, call *genai.Call, who attribution.Attribution, from origin) string {
	tenant := who[p.tenantBy]
	if own, ok := p.defaults[tenant]; ok {
		for field, value := range own {
			if who[field] == "" {
				who[field] = value
			}
		}
	}
	var room [5]pricing.Used
	used := call.Usage(room[:0])
	query := pricing.Query{
		Provider: call.Provider, At: from.at.AsTime(), RequestModel: call.RequestModel,
		ResponseModel: call.ResponseModel, ServiceTier: call.ServiceTier, Region: call.Region,
	}
	book := p.books.Load().of(tenant)
	price := pricing.Price{Status: pricing.Unpriced, Reason: call.Malformed, Version: book.Version()}
	if call.Malformed == "" {
		price = book.Price(&used, &query)
	}
	attributes.EnsureCapacity(attributes.Len() + mostAttributes + len(used.Meters) + behind)
	texts := newTexts(from.id, &used, price.Amount)
	attributes.PutStr(semconv.GenopsCallID, texts.next())
	attributes.PutStr(semconv.GenopsCostRole, "account")
	attributes.PutStr(semconv.GenopsOperationType, call.Type)
	who.Put(attributes)
	putUsage(attributes, &used, &texts)
	putPrice(attributes, &price, query.Provider, &texts)
	return price.Status
}

// texts are those that a call alone has, one after the other: its id, its quantities, its cost. They share one string.
type texts struct {
	all  string
	ends [8]uint8
	at   int
}

func newTexts(id [26]byte, used *pricing.Usage, cost pricing.Amount) texts {
	var made texts
	var room [160]byte
	written := append(room[:0], id[:]...)
	made.ends[0] = uint8(len(written))
	for i := range used.Meters {
		written = strconv.AppendInt(written, used.Meters[i].Quantity.Int(), 10)
		made.ends[i+1] = uint8(len(written))
	}
	written = cost.Append(written)
	made.ends[len(used.Meters)+1] = uint8(len(written))
	made.all = string(written)
	return made
}

func (t *texts) next() string {
	from := uint8(0)
	if t.at > 0 {
		from = t.ends[t.at-1]
	}
	t.at++
	return t.all[from:t.ends[t.at-1]]
}

func putUsage(attributes pcommon.Map, used *pricing.Usage, texts *texts) {
	if input, output := used.Tokens(); input >= 0 || output >= 0 {
		attributes.PutInt(semconv.GenopsTokensInput, max(input, 0))
		attributes.PutInt(semconv.GenopsTokensOutput, max(output, 0))
	}
	for i := range used.Meters {
		attributes.PutStr(quantityNames[used.Meters[i].Meter], texts.next())
	}
}

var quantityNames = func() map[string]string {
	made := map[string]string{}
	for _, meter := range []string{"input", "cache_read", "cache_write", "cache_write_1h", "output"} {
		made[meter] = semconv.GenopsUsageQuantity + "." + meter
	}
	return made
}()

func putPrice(attributes pcommon.Map, price *pricing.Price, provider string, texts *texts) {
	attributes.PutStr(semconv.GenopsCostStatus, price.Status)
	attributes.PutStr(semconv.GenopsCostProvider, provider)
	attributes.PutStr(semconv.GenopsCostPriceDataVersion, price.Version)
	if price.Status == pricing.Unpriced {
		attributes.PutStr(semconv.GenopsCostUnpricedReason, price.Reason)
		return
	}
	attributes.PutStr(semconv.GenopsCostSource, "span")
	attributes.PutDouble(semconv.GenopsCostTotal, price.Amount.Float())
	attributes.PutStr(semconv.GenopsLedgerCost, texts.next())
	attributes.PutStr(semconv.GenopsCostCurrency, pricing.Currency)
	attributes.PutStr(semconv.GenopsCostModel, price.Model)
	if price.HasList && price.List != price.Amount {
		attributes.PutDouble(semconv.GenopsCostList, price.List.Float())
		attributes.PutStr(semconv.GenopsLedgerListCost, price.List.String())
	}
	if len(price.Missing) > 0 {
		missing := attributes.PutEmptySlice(semconv.GenopsCostMissingMeters)
		for _, meter := range price.Missing {
			missing.AppendEmpty().SetStr(meter)
		}
	}
}

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's base 32

// callID always belongs to the span, so that a batch that is sent again is the same calls. It has the form of an SDK's:
// 26 characters of 128 bits.
func callID(trace pcommon.TraceID, span pcommon.SpanID) [26]byte {
	var named [49]byte
	hex.Encode(named[:], trace[:])
	named[32] = '/'
	hex.Encode(named[33:], span[:])
	digest := sha256.Sum256(named[:])
	high, low := binary.BigEndian.Uint64(digest[:8]), binary.BigEndian.Uint64(digest[8:16])
	var text [26]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = alphabet[low&31]
		high, low = high>>5, low>>5|high<<59
	}
	return text
}
