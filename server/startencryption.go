package server

import "context"

// StartDeliveryStreamEncryption
//
// Kept: the constraints and their messages; without a configuration it is the key
// that AWS owns. The answer is an empty object.
// Left out: KMS errors, since nobody looks at the key.

func (s *server) startDeliveryStreamEncryption(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := s.newInput(body, "")
	input := &StartEncryptionInput{
		DeliveryStreamName: o.streamName(),
		Encryption:         deref(o.encryption(), Encryption{KeyType: awsOwned}),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return empty, s.Backend.StartDeliveryStreamEncryption(ctx, c, input)
}

// Types of keys.
const (
	awsOwned        = "AWS_OWNED_CMK"
	customerManaged = "CUSTOMER_MANAGED_CMK"
)

// encryption takes a DeliveryStreamEncryptionConfigurationInput.
func (o *object) encryption() (e *Encryption) {
	o.within("DeliveryStreamEncryptionConfigurationInput", func(o *object) {
		o.need("KeyType")
		e = &Encryption{KeyType: deref(o.oneOf("KeyType", awsOwned, customerManaged), "")}
		arn := o.limited("KeyARN", streamKeys)
		e.KeyARN = deref(arn, "")
		switch {
		case e.KeyType == customerManaged && arn == nil:
			o.in.fault("KeyARN has to be specified when KeyType is CUSTOMER_MANAGED_CMK")
		case e.KeyType == awsOwned && arn != nil:
			o.in.fault("KeyARN cannot be specified when KeyType is AWS_OWNED_CMK")
		}
	})
	return e
}
