package server

import (
	"context"
	"net/http"

	"github.com/hydrant-go/hydrant/wire"
)

// ListTagsForDeliveryStream, StartDeliveryStreamEncryption,
// StopDeliveryStreamEncryption, TagDeliveryStream, UntagDeliveryStream and
// UpdateDestination.
//
// Kept: the caller is checked, and told what is missing.
// Left out: the rest, for now. A client that was told "done" would believe that
// its data is tagged, encrypted or going elsewhere.

func unbuilt(name string) operation {
	return func(*server, context.Context, Caller, []byte) ([]byte, error) {
		return nil, notImplemented("The local Firehose does not support %s yet.", name)
	}
}

// notImplemented is an error that no client's SDK tries again (HTTP 501).
func notImplemented(format string, args ...any) error {
	err := wire.Errorf(wire.CodeNotImplemented, format, args...)
	err.Status = http.StatusNotImplemented
	return err
}
