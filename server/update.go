package server

import "context"

// UpdateDestination
//
// Kept: the constraints and their messages, before anything else; the merge,
// member by member, with a destination of the same type (the two forms of S3 are
// one), and none with another; ProcessingConfiguration replaced as a whole; what
// does not go together in what results; dynamic partitioning that can be neither
// enabled nor disabled, and a backup that cannot be disabled. The answer is an
// empty object.
// Left out, and refused by name: updates to other destinations, and whatever the
// API's model does not have. An update is effective at once, where AWS needs
// minutes.

func (s *server) updateDestination(ctx context.Context, c Caller, body []byte) (any, error) {
	in, err := s.decodeUpdate(body)
	if err != nil {
		return nil, err
	}
	return empty, s.Backend.UpdateDestination(ctx, c, in)
}

// decodeUpdate reads the body and checks it by itself; the error is an
// [*wire.Error]. Apply reads it once more, over what is there.
func (s *server) decodeUpdate(body []byte) (*UpdateDestinationInput, error) {
	in, o := s.newInput(body, update)
	switch n := o.destinations(); {
	case n == 0:
		in.fault("At least one destination or source configuration update must be provided")
	case n > 1: // the words are ours: AWS's are not known
		in.fault("Exactly one destination update is supported for a Firehose")
	}
	decoded := &UpdateDestinationInput{
		DeliveryStreamName: o.streamName(),
		CurrentVersionID:   o.required("CurrentDeliveryStreamVersionId", versionIDs),
		DestinationID:      o.required("DestinationId", destIDs),
		Apply: func(was Destination) (Destination, error) {
			in, o := s.newInput(body, update)
			d := o.destination(was)
			in.note(d.check(was))
			if err := in.err(); err != nil {
				return Destination{}, err
			}
			return d, nil
		},
	}
	o.destination(Destination{})
	o.refuseRest()
	if err := in.err(); err != nil {
		return nil, err
	}
	return decoded, nil
}
