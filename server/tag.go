package server

import (
	"context"
	"slices"
)

// TagDeliveryStream
//
// Kept: the constraints and their messages; of two tags with one key the last
// wins, as AWS was seen to do. The answer is an empty object.
// Left out: nothing.

func (s *server) tagDeliveryStream(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := s.newInput(body, "")
	input := &TagInput{DeliveryStreamName: o.streamName()}
	o.need("Tags")
	input.Tags = o.tags()
	if err := in.err(); err != nil {
		return nil, err
	}
	return empty, s.Backend.TagDeliveryStream(ctx, c, input)
}

// maxTags is how many tags a stream has, and a call holds, at most (API
// reference).
const maxTags = 50

// tags takes Tags.
func (o *object) tags() (tags []Tag) {
	o.each("Tags", 1, maxTags, func(o *object) {
		t := Tag{o.required("Key", tagKeys), deref(o.limited("Value", tagValues), "")}
		tags = append(slices.DeleteFunc(tags, func(before Tag) bool { return before.Key == t.Key }), t)
	})
	return tags
}
