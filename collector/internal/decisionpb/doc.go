//go:generate go run -C ../tools ./protogen go.mod ../../../spec/decision/decision.proto ../decisionpb

// Package decisionpb is generated from spec/decision/decision.proto; protoc is not needed.
package decisionpb
