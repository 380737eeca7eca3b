package stacks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/local/stacks/template"
	"github.com/hydrant-go/hydrant/wire"
)

// AWS::KinesisFirehose::DeliveryStream
//
// Kept: the API's own calls, with all that they check, and waiting for what they begin:
// CreateDeliveryStream, UpdateDestination, encryption, tags, DeleteDeliveryStream. The
// properties are the members of CreateDeliveryStream's input, by the same names. A
// property that a template has no more goes back to its default, where UpdateDestination
// would keep it; what AWS's resource does there is UNVERIFIED.
// Left out, and refused by name: what the API refuses here. The tags
// aws:cloudformation:… are not there.

var streamKind = &kind{
	named: "DeliveryStreamName", longest: wire.MaxNameBytes, tagged: true,
	properties: strings.Fields(`AmazonOpenSearchServerlessDestinationConfiguration AmazonopensearchserviceDestinationConfiguration
		DatabaseSourceConfiguration DeliveryStreamEncryptionConfigurationInput DeliveryStreamName DeliveryStreamType
		DirectPutSourceConfiguration ElasticsearchDestinationConfiguration ExtendedS3DestinationConfiguration
		HttpEndpointDestinationConfiguration IcebergDestinationConfiguration KinesisStreamSourceConfiguration MSKSourceConfiguration
		RedshiftDestinationConfiguration S3DestinationConfiguration SnowflakeDestinationConfiguration SplunkDestinationConfiguration Tags`),
	createOnly: strings.Fields(`DatabaseSourceConfiguration DeliveryStreamName DeliveryStreamType DirectPutSourceConfiguration
		KinesisStreamSourceConfiguration MSKSourceConfiguration`),
	attributes: map[string]func(*request) string{
		"Arn": func(q *request) string { return q.ARN(wire.SigningName, "deliverystream/"+q.r.Physical) },
	},
	isThere: func(ctx context.Context, s *Store, q *request) (bool, error) {
		d, err := s.describeStream(ctx, q)
		return d != nil, err
	},
	make:      makeStream,
	stabilise: waitForStream,
	change:    changeStream,
	unmake:    unmakeStream,
}

// firehose has an operation run. out is nil, or a pointer.
func (s *Store) firehose(ctx context.Context, q *request, operation string, in map[string]any, out any) error {
	in["DeliveryStreamName"] = q.r.Physical
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := s.cfg.Firehose(ctx, q.Caller, operation, text)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// described is what is needed of a stream's description.
type described struct {
	DeliveryStreamStatus, VersionId       string
	DeliveryStreamEncryptionConfiguration struct{ Status string }
	Destinations                          []struct{ DestinationId string }
}

// describeStream describes the stream; nil if there is none.
func (s *Store) describeStream(ctx context.Context, q *request) (*described, error) {
	var out struct{ DeliveryStreamDescription described }
	err := s.firehose(ctx, q, "DescribeDeliveryStream", map[string]any{}, &out)
	switch {
	case isCode(err, wire.CodeResourceNotFound):
		return nil, nil
	case err != nil:
		return nil, refused("Firehose", err)
	}
	return &out.DeliveryStreamDescription, nil
}

func makeStream(ctx context.Context, s *Store, q *request) error {
	in := typed("", q.r.properties()).(map[string]any)
	if delete(in, "Tags"); len(q.r.tags()) > 0 {
		in["Tags"] = q.r.tags()
	}
	return refused("Firehose", s.firehose(ctx, q, "CreateDeliveryStream", in, nil))
}

// waitForStream waits until nothing of the stream changes any more. What takes its time
// is the Firehose's StateDelay.
func waitForStream(ctx context.Context, s *Store, q *request) error {
	return poll(ctx, func() (bool, error) {
		d, err := s.describeStream(ctx, q)
		if err != nil {
			return false, err
		}
		if d == nil {
			return false, reason("The delivery stream was deleted by somebody else.")
		}
		encryption := d.DeliveryStreamEncryptionConfiguration.Status
		return d.DeliveryStreamStatus == "ACTIVE" && !strings.HasSuffix(encryption, "ING"), nil
	})
}

// poll asks until the answer is yes, less and less often.
func poll(ctx context.Context, ask func() (bool, error)) error {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if done, err := ask(); done || err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

func unmakeStream(ctx context.Context, s *Store, q *request) error {
	return poll(ctx, func() (bool, error) {
		d, err := s.describeStream(ctx, q)
		switch {
		case err != nil || d == nil:
			return true, err
		case d.DeliveryStreamStatus != "ACTIVE": // CREATING can't be deleted, DELETING is
			return false, nil
		}
		err = s.firehose(ctx, q, "DeleteDeliveryStream", map[string]any{"AllowForceDelete": true}, nil)
		if isCode(err, wire.CodeResourceNotFound) || isCode(err, wire.CodeResourceInUse) {
			err = nil // somebody else is at it: look again
		}
		return false, refused("Firehose", err)
	})
}

func changeStream(ctx context.Context, s *Store, q *request) error {
	if err := waitForStream(ctx, s, q); err != nil { // an update before may have been cancelled
		return err
	}
	next := typed("", q.r.properties()).(map[string]any)
	var was []map[string]any
	for _, v := range q.was {
		was = append(was, typed("", v.properties()).(map[string]any))
	}
	if err := s.changeDestination(ctx, q, was, next); err != nil {
		return refused("Firehose", err)
	}
	const key = "DeliveryStreamEncryptionConfigurationInput"
	if differs(was, next, key) {
		operation, in := "StopDeliveryStreamEncryption", map[string]any{}
		if next[key] != nil {
			operation, in[key] = "StartDeliveryStreamEncryption", next[key]
		}
		if err := s.firehose(ctx, q, operation, in, nil); err != nil {
			return refused("Firehose", err)
		}
	}
	return refused("Firehose", s.changeStreamTags(ctx, q))
}

// differs tells whether a member may be another than it is to be.
func differs(was []map[string]any, next map[string]any, member string) bool {
	return slices.ContainsFunc(was, func(before map[string]any) bool { return !template.Equal(before[member], next[member]) })
}

// changeStreamTags makes the stream's tags those of the template and the stack. Tags that
// somebody else has put there stay.
func (s *Store) changeStreamTags(ctx context.Context, q *request) error {
	next, gone, same := q.r.tags(), []string(nil), true
	for _, v := range q.was {
		before := v.tags()
		same = same && slices.Equal(before, next)
		for _, t := range before {
			if !slices.ContainsFunc(next, func(n tag) bool { return n.Key == t.Key }) {
				gone = append(gone, t.Key)
			}
		}
	}
	if slices.Sort(gone); gone != nil {
		gone = slices.Compact(gone)
		if err := s.firehose(ctx, q, "UntagDeliveryStream", map[string]any{"TagKeys": gone}, nil); err != nil {
			return err
		}
	}
	if len(next) == 0 || same {
		return nil
	}
	return s.firehose(ctx, q, "TagDeliveryStream", map[string]any{"Tags": next}, nil)
}

// changeDestination calls UpdateDestination, if there may be another one.
func (s *Store) changeDestination(ctx context.Context, q *request, was []map[string]any, next map[string]any) error {
	for _, member := range slices.Sorted(maps.Keys(next)) {
		kind, ok := strings.CutSuffix(member, "DestinationConfiguration")
		if !ok || !differs(was, next, member) {
			continue
		}
		d, err := s.describeStream(ctx, q)
		switch {
		case err != nil:
			return err
		case d == nil:
			return wire.Errorf(wire.CodeResourceNotFound, "Firehose %s under account %s not found.", q.r.Physical, q.Account)
		case len(d.Destinations) == 0:
			return fmt.Errorf("stream %s has no destination", q.r.Physical)
		}
		return s.firehose(ctx, q, "UpdateDestination", map[string]any{
			"CurrentDeliveryStreamVersionId": d.VersionId, "DestinationId": d.Destinations[0].DestinationId,
			kind + "DestinationUpdate": updateOf(members(was, member), next[member]),
		}, nil)
	}
	return nil
}

// members are the member of that name of all of them.
func members(all []map[string]any, name string) (list []map[string]any) {
	for _, m := range all {
		if v, ok := m[name].(map[string]any); ok {
			list = append(list, v)
		}
	}
	return list
}

// unset is what stands for members of a destination that are there no more: their
// defaults (API reference).
var unset = map[string]any{
	"Prefix": "", "ErrorOutputPrefix": "", "FileExtension": "", "CustomTimeZone": "UTC", "CompressionFormat": "UNCOMPRESSED",
	"BufferingHints":           map[string]any{"SizeInMBs": 5, "IntervalInSeconds": 300},
	"EncryptionConfiguration":  map[string]any{"NoEncryptionConfig": "NoEncryption"},
	"CloudWatchLoggingOptions": map[string]any{"Enabled": false},
	"ProcessingConfiguration":  map[string]any{"Enabled": false},
	"RetryOptions":             map[string]any{"DurationInSeconds": 300},
	"DataFormatConversionConfiguration": map[string]any{
		"Enabled": false,
	},
	"RequestConfiguration": map[string]any{"ContentEncoding": "NONE", "CommonAttributes": []any{}},
}

// updateOf makes an …Update of a …Configuration, which takes the place of one that may be
// any of was: only the names of the buckets in it are different.
func updateOf(was []map[string]any, configuration any) any {
	is, ok := configuration.(map[string]any)
	if !ok {
		return configuration // for the API to refuse
	}
	update := map[string]any{}
	for _, before := range was {
		for member := range before {
			if v, ok := unset[member]; ok {
				update[member] = v
			}
		}
	}
	for member, v := range is {
		switch member {
		case "S3Configuration", "S3BackupConfiguration":
			update[strings.TrimSuffix(member, "Configuration")+"Update"] = updateOf(members(was, member), v)
		default:
			update[member] = v
		}
	}
	return update
}

// scalars are the members that are no strings, as AWS's schema of the type has them:
// templates may write "5" for 5, and a parameter is always a string.
var scalars = map[string]string{
	"BlockSizeBytes": "number", "BloomFilterFalsePositiveProbability": "number", "CaseInsensitive": "boolean",
	"ConvertDotsInJsonKeysToUnderscores": "boolean", "DictionaryKeyThreshold": "number", "DurationInSeconds": "number", "Enabled": "boolean",
	"EnableDictionaryCompression": "boolean", "EnablePadding": "boolean", "IntervalInSeconds": "number", "MaxPaddingBytes": "number",
	"PaddingTolerance": "number", "PageSizeBytes": "number", "RowIndexStride": "number", "SizeInMBs": "number", "StripeSizeBytes": "number",
	"ThroughputHintInMBs": "number",
}

// typed makes the value of a member what its type is. What can't be is left for the API
// to refuse.
func typed(member string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for member, v := range v {
			m[member] = typed(member, v)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = typed(member, v[i])
		}
		return list
	}
	text, ok := template.Text(v)
	switch kind := scalars[member]; {
	case !ok:
		return v
	case kind == "boolean" && (text == "true" || text == "false"):
		return text == "true"
	case kind == "number" && json.Valid([]byte(text)):
		return json.Number(text)
	}
	return text
}
