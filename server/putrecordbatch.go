package server

import (
	"context"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// PutRecordBatch
//
// Kept: the constraints and their messages, in the service's order: 1 to 500
// records, each of 0 to 1,024,000 bytes, 4,194,304 together; a call is refused
// whole or answered 200 with every record's own fate, even if all were refused.
// Left out: KMS errors, since nobody looks at the key of an encrypted stream.

func (s *server) putRecordBatch(ctx context.Context, c *awsapi.Call) (any, error) {
	in, err := wire.DecodePutRecordBatch(c.Body)
	if err != nil {
		return nil, err
	}
	if err := wire.ValidatePut(in, false); err != nil {
		return nil, err
	}
	out, err := s.Backend.PutRecordBatch(ctx, c.Caller, *in.Stream, in.Records)
	if err != nil {
		return nil, err
	}
	return wire.AppendPutRecordBatchResponse(c.Body[:0], out), nil // over what nobody reads any more
}
