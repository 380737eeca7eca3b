package server

import "context"

// ListTagsForDeliveryStream
//
// Kept: the constraints and their messages; at most Limit tags, 50 by default, in
// the order of their keys after ExclusiveStartTagKey, which need not exist;
// HasMoreTags.
// Left out: nothing. A tag that was given no value has an empty one, which is
// always sent.

func (s *server) listTagsForDeliveryStream(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := s.newInput(body, "")
	input := &ListTagsInput{
		DeliveryStreamName: o.streamName(),
		Limit:              deref(o.between("Limit", 1, maxTags), maxTags),
		After:              deref(o.limited("ExclusiveStartTagKey", tagKeys), ""),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	out, err := s.Backend.ListTagsForDeliveryStream(ctx, c, input)
	if err != nil {
		return nil, err
	}
	return struct {
		Tags        []Tag
		HasMoreTags bool
	}{append([]Tag{}, out.Tags...), out.HasMore}, nil // never null
}
