package server

import "context"

// ListDeliveryStreams
//
// Kept: the constraints and their messages; at most Limit names, 10 by default,
// in alphabetical order after ExclusiveStartDeliveryStreamName, which need not
// exist; the type filter; HasMoreDeliveryStreams.
// Left out: nothing.

func (s *server) listDeliveryStreams(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := s.newInput(body, "")
	input := &ListDeliveryStreamsInput{
		Limit: deref(o.between("Limit", 1, 10_000), 10),
		Type:  deref(o.streamType(), ""),
		After: deref(o.limited("ExclusiveStartDeliveryStreamName", streamNames), ""),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	out, err := s.Backend.ListDeliveryStreams(ctx, c, input)
	if err != nil {
		return nil, err
	}
	return struct {
		DeliveryStreamNames    []string
		HasMoreDeliveryStreams bool
	}{append([]string{}, out.Names...), out.HasMore}, nil // never null
}
