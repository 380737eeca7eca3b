package admin

import (
	"context"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
)

// TagLister is the SDK's call that lists a stream's tags.
type TagLister interface {
	ListTagsForDeliveryStream(context.Context, *firehose.ListTagsForDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.ListTagsForDeliveryStreamOutput, error)
}

// Tag is a tag of a stream.
type Tag struct{ Key, Value string }

// Tags yields the tags of a delivery stream in the service's order, that of their keys,
// each once. An error ends the sequence.
func Tags(ctx context.Context, c TagLister, stream string) iter.Seq2[Tag, error] {
	return afterLast(func(t Tag) string { return t.Key }, func(last *string) (tags []Tag, more bool, err error) {
		page, err := c.ListTagsForDeliveryStream(ctx, &firehose.ListTagsForDeliveryStreamInput{
			DeliveryStreamName: &stream, ExclusiveStartTagKey: last, Limit: aws.Int32(50), // as many as a stream has
		})
		if err != nil {
			return nil, false, fmt.Errorf("list the tags of delivery stream %s: %w", stream, err)
		}
		for _, t := range page.Tags {
			tags = append(tags, Tag{aws.ToString(t.Key), aws.ToString(t.Value)})
		}
		return tags, aws.ToBool(page.HasMoreTags), nil
	})
}
