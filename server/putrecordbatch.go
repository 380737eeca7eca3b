package server

import (
	"context"

	"github.com/hydrant-go/hydrant/wire"
)

// PutRecordBatch
//
// Kept: the constraints and their messages, in the service's order: 1 to 500
// records, each of 0 to 1,024,000 bytes, 4,194,304 together; a call is refused
// whole or answered 200 with every record's own fate, even if all were refused.
// Left out: KMS and source errors, since streams have neither.

func (s *server) putRecordBatch(ctx context.Context, c Caller, body []byte) ([]byte, error) {
	in, err := wire.DecodePutRecordBatch(body)
	if err != nil {
		return nil, err
	}
	if err := wire.ValidatePut(in, false); err != nil {
		return nil, err
	}
	out, err := s.Backend.PutRecordBatch(ctx, c, *in.Stream, in.Records)
	if err != nil {
		return nil, err
	}
	return wire.AppendPutRecordBatchResponse(nil, out), nil
}
