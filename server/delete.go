package server

import "context"

// DeleteDeliveryStream
//
// Kept: the constraints and their messages; the answer is an empty object.
// Left out: AllowForceDelete is passed on, but there is no KMS grant that it
// could give up.

func (s *server) deleteDeliveryStream(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := s.newInput(body, "")
	input := &DeleteDeliveryStreamInput{
		DeliveryStreamName: o.streamName(),
		AllowForceDelete:   deref(o.flag("AllowForceDelete"), false),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return empty, s.Backend.DeleteDeliveryStream(ctx, c, input)
}
