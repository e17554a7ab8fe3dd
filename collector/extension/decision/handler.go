package decision

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/decisionpb"
)

// newHandler serves the operations as JSON. Source: spec/decision/openapi.yaml.
func newHandler(s *service) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/reservations", serve(s.Reserve, nil))
	mux.Handle("POST /v1/reservations/{id}/settle", serve(s.Settle, func(r *decisionpb.SettleRequest, id string) { r.Id = id }))
	mux.Handle("POST /v1/reservations/{id}/release", serve(s.Release, func(r *decisionpb.ReleaseRequest, id string) { r.Id = id }))
	mux.Handle("POST /v1/reservations/{id}/extend", serve(s.Extend, func(r *decisionpb.ExtendRequest, id string) { r.Id = id }))
	mux.HandleFunc("GET /v1/budgets", func(w http.ResponseWriter, r *http.Request) {
		asked, err := budgetsOf(r)
		if err != nil {
			writeError(w, err)
			return
		}
		write(w)(s.Budgets(r.Context(), asked))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, status.Errorf(codes.NotFound, "%s %s is no operation.  fix: POST /v1/reservations; see spec/decision/openapi.yaml",
			r.Method, r.URL.Path))
	})
	return mux
}

// message is a pointer to a request.
type message[T any] interface {
	*T
	proto.Message
}

// serve reads the body as JSON, lays the id of the path over it, and writes the answer.
func serve[T any, M message[T], A proto.Message](operation func(context.Context, M) (A, error), name func(M, string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			writeError(w, tooLarge(err))
			return
		}
		asked := M(new(T))
		if err := readJSON(body, asked); err != nil {
			writeError(w, err)
			return
		}
		if name != nil {
			name(asked, r.PathValue("id"))
		}
		write(w)(operation(r.Context(), asked))
	})
}

func tooLarge(err error) error {
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		return status.Errorf(codes.OutOfRange, "the body has more than %d bytes.  fix: send no text of prompts, only amounts", limit.Limit)
	}
	return status.Error(codes.InvalidArgument, "the body cannot be read.  fix: send JSON")
}

func readJSON(body []byte, into proto.Message) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := protojson.Unmarshal(body, into); err != nil {
		// Its texts begin with "proto:" and a blank that differs from build to build, on purpose.
		said := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
		return status.Errorf(codes.InvalidArgument, "the body is not understood: %s.  fix: see spec/decision/openapi.yaml", said)
	}
	return nil
}

var asJSON = protojson.MarshalOptions{UseProtoNames: true}

func write(w http.ResponseWriter) func(answer proto.Message, err error) {
	return func(answer proto.Message, err error) {
		if err != nil {
			writeError(w, err)
			return
		}
		text, err := asJSON.Marshal(answer)
		if err != nil {
			writeError(w, err)
			return
		}
		var plain bytes.Buffer // protojson puts blanks where it likes
		_ = json.Compact(&plain, text)
		plain.WriteByte('\n')
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(plain.Bytes())
	}
}

var httpCodes = map[codes.Code]int{
	codes.InvalidArgument: http.StatusBadRequest, codes.NotFound: http.StatusNotFound, codes.Aborted: http.StatusConflict,
	codes.OutOfRange: http.StatusRequestEntityTooLarge, codes.ResourceExhausted: http.StatusTooManyRequests,
	codes.Unavailable: http.StatusServiceUnavailable,
}

var codeNames = map[codes.Code]string{
	codes.InvalidArgument: "INVALID_ARGUMENT", codes.NotFound: "NOT_FOUND", codes.Aborted: "ABORTED",
	codes.OutOfRange: "OUT_OF_RANGE", codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.Unavailable: "UNAVAILABLE",
}

// writeError is {"error": {"code", "message", "fix"}}.
func writeError(w http.ResponseWriter, err error) {
	found := status.Convert(err)
	code, known := httpCodes[found.Code()]
	name := codeNames[found.Code()]
	if !known {
		code, name = http.StatusInternalServerError, "INTERNAL"
	}
	said, fix, _ := strings.Cut(found.Message(), ".  fix: ")
	text, _ := json.Marshal(map[string]any{"error": map[string]string{"code": name, "message": said, "fix": fix}})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n'))
}

// budgetsOf reads ?team=search&model=gpt-5.4&tag.tier=gold.
func budgetsOf(r *http.Request) (*decisionpb.BudgetsRequest, error) {
	made := &decisionpb.BudgetsRequest{Attribution: &decisionpb.Attribution{Tags: map[string]string{}}}
	own := made.Attribution
	into := map[string]*string{
		"provider": &made.Provider, "model": &made.Model, "operation": &made.Operation, "team": &own.Team,
		"project": &own.Project, "environment": &own.Environment, "customer_id": &own.CustomerId,
		"cost_center": &own.CostCenter, "feature": &own.Feature, "session_id": &own.SessionId,
	}
	for name, values := range r.URL.Query() {
		if key, tag := strings.CutPrefix(name, budget.Tag); tag {
			own.Tags[key] = values[0]
		} else if place := into[name]; place != nil {
			*place = values[0]
		} else {
			return nil, status.Errorf(codes.InvalidArgument, "%q is no field of a call.  fix: use %s, provider, model, operation or tag.<key>",
				name, strings.Join(attribution.Fields[:], ", "))
		}
	}
	return made, nil
}
