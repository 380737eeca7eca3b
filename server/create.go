package server

import "context"

// CreateDeliveryStream
//
// Kept: the constraints and their messages; exactly one destination, which is
// S3DestinationConfiguration, ExtendedS3DestinationConfiguration or
// HttpEndpointDestinationConfiguration with all that the API has in them, and the
// defaults; what does not go together in them; server-side encryption, tags, and
// DirectPutSourceConfiguration.
// Left out, and refused by name: other destinations, sources other than Direct
// PUT, and whatever the API's model does not have. A setting that was accepted and
// did nothing would be found out in production. What prefixes, processors and
// schemas say is the backend's to check, and nobody looks at the role.

func (s *server) createDeliveryStream(ctx context.Context, c Caller, body []byte) (any, error) {
	in, err := s.decodeCreate(body)
	if err != nil {
		return nil, err
	}
	out, err := s.Backend.CreateDeliveryStream(ctx, c, in)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// decodeCreate reads and checks the body; the error is an [*wire.Error].
func (s *server) decodeCreate(body []byte) (*CreateDeliveryStreamInput, error) {
	in, o := s.newInput(body, configuration)
	if o.destinations() != 1 {
		in.fault("Exactly one destination configuration is supported for a Firehose")
	}
	create := &CreateDeliveryStreamInput{
		DeliveryStreamName:  o.streamName(),
		ThroughputHintInMBs: o.source(),
		Encryption:          o.encryption(),
		Tags:                o.tags(),
		Destination:         o.destination(Destination{}),
	}
	in.note(create.Destination.check(Destination{}))
	o.refuseRest()
	if err := in.err(); err != nil {
		return nil, err
	}
	return create, nil
}

// source takes what says where the records come from.
func (o *object) source() (throughputHint int) {
	kind := o.streamType()
	if kind != nil && *kind != "DirectPut" {
		o.in.refuse("DeliveryStreamType " + *kind)
	}
	o.within("DirectPutSourceConfiguration", func(o *object) {
		o.need("ThroughputHintInMBs")
		set(&throughputHint, o.between("ThroughputHintInMBs", 1, 100))
	})
	return throughputHint
}
