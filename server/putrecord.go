package server

import (
	"context"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// PutRecord
//
// Kept: the constraints and their messages; data of 0 to 1,024,000 bytes;
// strict base64; Encrypted is always sent.
// Left out: KMS errors, since nobody looks at the key of an encrypted stream.

func (s *server) putRecord(ctx context.Context, c *awsapi.Call) (any, error) {
	in, err := wire.DecodePutRecord(c.Body)
	if err != nil {
		return nil, err
	}
	if err := wire.ValidatePut(in, true); err != nil {
		return nil, err
	}
	id, encrypted, err := s.Backend.PutRecord(ctx, c.Caller, *in.Stream, in.Records[0])
	if err != nil {
		return nil, err
	}
	return wire.AppendPutRecordResponse(nil, id, encrypted), nil
}
