package server

import "context"

// UntagDeliveryStream
//
// Kept: the constraints and their messages. The answer is an empty object.
// Left out: nothing.

func (s *server) untagDeliveryStream(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := s.newInput(body, "")
	input := &UntagInput{DeliveryStreamName: o.streamName()}
	o.need("TagKeys")
	input.Keys = o.list("TagKeys", 1, maxTags, tagKeys)
	if err := in.err(); err != nil {
		return nil, err
	}
	return empty, s.Backend.UntagDeliveryStream(ctx, c, input)
}
