package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/ui"
)

// lookBack is the time whose errors and metrics are looked at.
const lookBack = time.Hour

// checkStreams tells the state of each stream, as far as the time goes.
func (c *checkup) checkStreams(ctx context.Context) {
	client := firehose.NewFromConfig(c.cfg)
	var names []string
	for name, err := range admin.Streams(ctx, client) {
		if err != nil {
			status := statusWarning
			if c.refused(err) {
				status = statusFailed
			}
			c.trouble(ctx, status, err, "")
			return
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		c.ok("there are no delivery streams in this account and region")
	}
	for i, name := range names {
		d, err := admin.Describe(ctx, client, name)
		switch _, gone := errors.AsType[*types.ResourceNotFoundException](err); {
		case gone: // since they were listed
		case ctx.Err() != nil:
			c.add(statusSkipped, "", "not checked for want of time: %d more streams, from %s on; hydrant doctor STREAM looks at one", len(names)-i, name)
			return
		case err != nil:
			c.trouble(ctx, statusWarning, err, "")
			return // it is the same for the others
		default:
			c.description = cmp.Or(c.description, d)
			c.tellState(d)
		}
	}
}

func (c *checkup) checkStream(ctx context.Context) {
	d, err := admin.Describe(ctx, firehose.NewFromConfig(c.cfg), c.stream)
	switch _, gone := errors.AsType[*types.ResourceNotFoundException](err); {
	case gone:
		c.lacks[needStream], c.lacks[needExists] = "there is no such stream", "there is no such stream"
		c.trouble(ctx, statusFailed, err, "")
	case admin.IsDenied(err):
		c.lacks[needStream] = "the stream may not be described"
		cause, hint := c.explained(ctx, err)
		c.warn(hint, "%s: its records are sent one by one, which costs more", cause)
	case err != nil:
		c.lacks[needStream] = "the stream can't be described"
		c.refused(err)
		c.trouble(ctx, statusFailed, err, "")
	default:
		c.description = d
		c.tellState(d)
	}
}

// tellState tells whether a stream takes records.
func (c *checkup) tellState(d *types.DeliveryStreamDescription) {
	text := fmt.Sprintf("%s is %s", aws.ToString(d.DeliveryStreamName), d.DeliveryStreamStatus)
	if f := d.FailureDescription; f != nil {
		text += fmt.Sprintf(": %s: %s", f.Type, aws.ToString(f.Details))
	}
	switch d.DeliveryStreamStatus {
	case types.DeliveryStreamStatusActive:
		if d.DeliveryStreamType != types.DeliveryStreamTypeDirectPut && d.DeliveryStreamType != "" {
			c.warn("put into its source instead", "%s, but its source is %s: it takes no PutRecord", text, d.DeliveryStreamType)
			return
		}
		c.ok("%s, version %s", text, aws.ToString(d.VersionId))
	case types.DeliveryStreamStatusCreating:
		c.warn("wait a minute; it takes no records before it is ACTIVE", "%s", text)
	case types.DeliveryStreamStatusDeleting:
		c.warn("its buffered records are discarded; create it again once it is gone", "%s", text)
	case types.DeliveryStreamStatusDeletingFailed:
		c.fail("hydrant streams delete --force deletes it even if Firehose cannot retire its KMS grant", "%s", text)
	default:
		c.fail("delete it, mend what the failure names, and create it again", "%s", text)
	}
}

func (c *checkup) checkEncryption(context.Context) {
	e := c.description.DeliveryStreamEncryptionConfiguration
	if e == nil || e.Status == "" || e.Status == types.DeliveryStreamEncryptionStatusDisabled {
		c.ok("the stream does not encrypt what it buffers")
		return
	}
	text := fmt.Sprintf("%s, by %s", e.Status, e.KeyType)
	if e.KeyARN != nil {
		text += " " + *e.KeyARN
	}
	if f := e.FailureDescription; f != nil {
		text += fmt.Sprintf(": %s: %s", f.Type, aws.ToString(f.Details))
	}
	switch e.Status {
	case types.DeliveryStreamEncryptionStatusEnabled:
		c.ok("%s", text)
	case types.DeliveryStreamEncryptionStatusEnabling, types.DeliveryStreamEncryptionStatusDisabling:
		c.warn("wait a moment: until then records may be stored either way", "%s", text)
	default:
		c.fail("the KMS key must be enabled, and let Firehose make a grant (kms:CreateGrant); then start or stop the encryption again", "%s", text)
	}
}

// checkPacking tells what the producer would do.
func (c *checkup) checkPacking(context.Context) {
	records, why := hydrant.AutoPacking(c.description, "\n")
	switch records {
	case 1:
		c.ok("each record is sent on its own: %s", why)
	case math.MaxInt:
		c.ok("records are packed up to 1,024,000 bytes: %s", why)
	default:
		c.ok("up to %d records are packed: %s", records, why)
	}
}

// bucketsOf are the buckets that a stream delivers to, those of its backup included.
func bucketsOf(d *types.DeliveryStreamDescription) (names []string) {
	add := func(arn *string) {
		if _, name, ok := strings.Cut(aws.ToString(arn), ":::"); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, to := range d.Destinations {
		if s := to.ExtendedS3DestinationDescription; s != nil {
			add(s.BucketARN)
			if b := s.S3BackupDescription; b != nil && s.S3BackupMode == types.S3BackupModeEnabled {
				add(b.BucketARN)
			}
		}
		if h := to.HttpEndpointDestinationDescription; h != nil && h.S3DestinationDescription != nil {
			add(h.S3DestinationDescription.BucketARN)
		}
	}
	return names
}

func (c *checkup) checkDestination(ctx context.Context) {
	if len(c.description.Destinations) == 0 {
		c.warn("", "the description names none")
		return
	}
	if h := c.description.Destinations[0].HttpEndpointDestinationDescription; h != nil && h.EndpointConfiguration != nil {
		c.ok("posts to %s; whether Firehose reaches it only its error log tells", aws.ToString(h.EndpointConfiguration.Url))
	}
	buckets := bucketsOf(c.description)
	if len(buckets) == 0 {
		c.add(statusSkipped, "", "not checked: hydrant knows no way to look at %s", targetOf(c.description).name)
	}
	for _, bucket := range buckets {
		if why := c.lacks["S3"]; why != "" {
			c.add(statusSkipped, "", "not checked: %s", why)
			return
		}
		c.tellBucket(ctx, bucket, c.listBucket(ctx, bucket))
	}
}

func (c *checkup) tellBucket(ctx context.Context, bucket string, err error) {
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	switch {
	case err == nil:
		c.ok("bucket %s is there", bucket)
	case code == "NoSuchBucket" && !isAWS(c.endpoints["S3"]):
		c.warn(admin.Remedy("S3.NoSuchBucket")+"; hydrant local makes one that was never there when it delivers", "bucket %s does not exist", bucket)
	case code == "NoSuchBucket":
		c.fail(admin.Remedy("S3.NoSuchBucket"), "bucket %s does not exist", bucket)
	case admin.IsDenied(err):
		c.add(statusSkipped, "", "not checked: bucket %s may not be listed by this caller, which says nothing of the stream's role", bucket)
	case code == "PermanentRedirect":
		c.ok("bucket %s is there, in another region", bucket)
	default:
		c.trouble(ctx, statusWarning, fmt.Errorf("look at bucket %s: %w", bucket, err), "")
	}
}

// errorCount is what an error log has of one code.
type errorCount struct {
	admin.DeliveryError // the last
	n                   int
	last                time.Time
}

// mostErrors bounds the events that are read.
const mostErrors = 10_000

// checkDeliveries looks for errors in the stream's error logs.
func (c *checkup) checkDeliveries(ctx context.Context) {
	logs := admin.ErrorLogs(c.description)
	if len(logs) == 0 {
		c.warn(enableLogging, "the stream does not log its delivery errors")
		return
	}
	if why := c.lacks["CloudWatch Logs"]; why != "" {
		c.add(statusSkipped, "", "not checked: %s", why)
		return
	}
	client := cloudwatchlogs.NewFromConfig(c.cfg)
	var counts []*errorCount
	total, failed := 0, false
	for _, l := range logs {
		for e, err := range admin.LogEvents(ctx, client, admin.LogQuery{Group: l.Group, Stream: l.Stream, From: time.Now().Add(-lookBack)}) {
			if err != nil {
				c.trouble(ctx, statusWarning, err, "")
				failed = true
				break
			}
			if total++; total > mostErrors {
				break
			}
			counts = countError(counts, admin.ParseDeliveryError(e.Message), e.Time, aws.ToString(c.description.DeliveryStreamName))
		}
	}
	slices.SortFunc(counts, func(a, b *errorCount) int { return b.last.Compare(a.last) })
	for _, e := range counts {
		c.tellErrors(e)
	}
	if len(counts) == 0 && !failed {
		c.ok("no errors are logged in the last hour")
	}
}

// countError enters an error, unless it is another stream's: a log may be shared.
func countError(counts []*errorCount, e admin.DeliveryError, at time.Time, stream string) []*errorCount {
	if e.Stream != "" && e.Stream != stream {
		return counts
	}
	i := slices.IndexFunc(counts, func(c *errorCount) bool { return c.Code == e.Code })
	if i < 0 {
		i = len(counts)
		counts = append(counts, &errorCount{})
	}
	counts[i].n++
	if !at.Before(counts[i].last) {
		counts[i].DeliveryError, counts[i].last = e, at
	}
	return counts
}

func (c *checkup) tellErrors(e *errorCount) {
	status := statusFailed
	if e.Code == "InternalError" { // Firehose tries again by itself
		status = statusWarning
	}
	times := "once"
	if e.n > 1 {
		times = fmt.Sprintf("%s times in the last hour, the last", ui.Count(int64(e.n)))
	}
	remedy := cmp.Or(admin.Remedy(e.Code), "hydrant logs "+c.stream+" shows them all")
	c.add(status, remedy, "%s %s at %s: %s", cmp.Or(e.Code, "an error"), times, e.last.UTC().Format(time.TimeOnly+" UTC"), e.Message)
}

// bufferInterval is how long a stream may hold records back.
func bufferInterval(d *types.DeliveryStreamDescription) time.Duration {
	var seconds *int32
	for _, to := range d.Destinations {
		if s := to.ExtendedS3DestinationDescription; s != nil && s.BufferingHints != nil {
			seconds = s.BufferingHints.IntervalInSeconds
		}
		if h := to.HttpEndpointDestinationDescription; h != nil && h.BufferingHints != nil {
			seconds = h.BufferingHints.IntervalInSeconds
		}
	}
	if seconds == nil {
		return 300 * time.Second // the default
	}
	return time.Duration(*seconds) * time.Second
}

// checkMetrics judges the metrics of the last hour.
func (c *checkup) checkMetrics(ctx context.Context) {
	if why := c.lacks["CloudWatch"]; why != "" {
		c.add(statusSkipped, "", "not checked: %s", why)
		return
	}
	target, now := targetOf(c.description), time.Now()
	w, err := admin.NewWindow(now.Add(-lookBack), now, 0)
	if err != nil {
		c.trouble(ctx, statusWarning, err, "")
		return
	}
	name := aws.ToString(c.description.DeliveryStreamName)
	list, err := readMetrics(ctx, cloudwatch.NewFromConfig(c.cfg), []string{name}, target.figures, w)
	if err != nil {
		c.trouble(ctx, statusWarning, err, "")
		return
	}
	if list[0].known == 0 {
		c.ok("nothing came in and nothing was delivered in the last hour")
		return
	}
	for i := range target.figures {
		c.judge(&target.figures[i], list[0])
	}
}

// freshnessSlack is what delivering takes, beyond the buffer's interval.
const freshnessSlack = time.Minute

// judge tells what a figure means, if it is one of those that say whether a stream is well.
func (c *checkup) judge(f *figure, r *reading) {
	least, _, last := extremes(r.values(f))
	total := r.total(f)
	if math.IsNaN(last) {
		return
	}
	switch f.key {
	case "incoming_records":
		c.ok("%s in the last hour: %s", f.label, ui.Count(int64(total)))
	case "throttled_records":
		if total > 0 {
			c.warn("send slower, or ask AWS for a higher quota of the stream", "%s records were throttled in the last hour", ui.Count(int64(total)))
		}
	case "quota_share":
		if last >= 0.8 {
			c.warn("ask AWS for a higher quota before records are throttled", "%.0f %% of the quota is used now", 100*last)
		} else {
			c.ok("%.0f %% of the quota is used now", 100*last)
		}
	case "data_freshness_seconds":
		age, most := time.Duration(last*float64(time.Second)), bufferInterval(c.description)
		if age > most+freshnessSlack {
			c.fail("see the errors of its deliveries: hydrant logs "+c.stream, "the oldest record that waits came %s ago, where the buffer's interval is %s", ui.Duration(age), ui.Duration(most))
		} else {
			c.ok("the oldest record that waits came %s ago, the buffer's interval is %s", ui.Duration(age), ui.Duration(most))
		}
	case "success", "backup_success", "function_success":
		switch {
		case last < 1:
			c.fail("see the errors of its deliveries: hydrant logs "+c.stream, "%s: the last attempts failed, %.0f %% of them", f.label, 100*(1-last))
		case least < 1:
			c.warn("", "%s: some attempts of the last hour failed, the last ones did not", f.label)
		default:
			c.ok("%s: all attempts of the last hour", f.label)
		}
	case "key_failures":
		if total > 0 {
			c.fail("the stream's KMS key must be enabled, and its policy must let Firehose use it", "%s calls failed for the KMS key in the last hour", ui.Count(int64(total)))
		}
	}
}

// checkPut puts one record, if that is asked for.
func (c *checkup) checkPut(ctx context.Context) {
	if !c.options.put {
		c.add(statusSkipped, "", "not tried: --put puts one record, which is delivered as any other")
		return
	}
	record := fmt.Sprintf("{\"hydrant_doctor\":%q}\n", time.Now().UTC().Format(time.RFC3339))
	out, err := firehose.NewFromConfig(c.cfg).PutRecord(ctx, &firehose.PutRecordInput{
		DeliveryStreamName: &c.stream, Record: &types.Record{Data: []byte(record)},
	})
	if err != nil {
		c.trouble(ctx, statusFailed, fmt.Errorf("put a record: %w", err), "")
		return
	}
	c.ok("a record was put, and will be delivered: %s, its id %.12s…", strings.TrimSpace(record), aws.ToString(out.RecordId))
}
