package server

import "context"

// StopDeliveryStreamEncryption
//
// Kept: the constraints and their messages; the answer is an empty object.
// Left out: nothing.

func (s *server) stopDeliveryStreamEncryption(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := s.newInput(body, "")
	input := &StopEncryptionInput{DeliveryStreamName: o.streamName()}
	if err := in.err(); err != nil {
		return nil, err
	}
	return empty, s.Backend.StopDeliveryStreamEncryption(ctx, c, input)
}
