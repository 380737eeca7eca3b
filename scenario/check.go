package scenario

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/wire"
)

// metricNames are what the workflow shows.
var metricNames = []string{"IncomingRecords", "IncomingBytes", "IncomingPutRequests", "ThrottledRecords"}

// metrics reads the metrics until they hold every stored record, or the wait is
// over: AWS publishes them a minute or more later.
func (w *workflow) metrics(ctx context.Context, started time.Time) {
	client := cloudwatch.NewFromConfig(w.site.control)
	stored := float64(w.report.PutRecord.FirehoseRecords + w.report.Batch.FirehoseRecords)
	err := w.poll(ctx, func(ctx context.Context) (bool, error) {
		var err error
		w.report.Metrics, err = admin.MetricSums(ctx, client, w.site.stream, started, time.Now().Add(time.Minute), metricNames...)
		return w.report.Metrics["IncomingRecords"] >= stored, err
	})
	if err != nil {
		w.report.MetricsError = err.Error()
		w.Say("the metrics can't be read: %v", err)
	}
	for _, name := range metricNames {
		if sum, ok := w.report.Metrics[name]; ok {
			w.Say("%-20s %.0f", name, sum)
		}
	}
	w.Say("%-20s %d (and the records of %d failed calls)", "refused, our count", w.report.PutRecord.Refused+w.report.Batch.Refused,
		w.report.PutRecord.FailedCalls+w.report.Batch.FailedCalls)
}

// readBack reads what the stream has delivered into the ledger, and closes the
// account.
func (w *workflow) readBack(ctx context.Context, started time.Time) error {
	var err error
	if w.site.embedded != nil {
		w.report.ReadBack = "local files"
		err = w.readFiles(ctx)
	} else {
		w.report.ReadBack = "S3"
		err = w.readS3(ctx, started)
	}
	t := w.ledger.tally()
	r := w.report
	r.DeadLettered = t.dead
	if err != nil && w.site.embedded == nil && t.delivered == 0 {
		// The destination is out of reach, which is no fault of the records.
		r.ReadBack = "not possible: " + err.Error()
		r.Delivered = int(r.PutRecord.Delivered + r.Batch.Delivered)
		r.Lost = r.Generated - r.Delivered - r.DeadLettered
		w.Say("the destination can't be read: %v", err)
		w.Say("Firehose has acknowledged %d records", r.Delivered)
		return ctx.Err()
	}
	r.Delivered, r.Lost, r.Duplicates = t.delivered, t.lost, t.duplicates
	w.Say("%d of %d records delivered, %d in the dead letter, %d lost, %d delivered more than once",
		r.Delivered, r.Generated, r.DeadLettered, r.Lost, r.Duplicates)
	if t.foreign > 0 {
		w.Say("%d records at the destination are somebody else's", t.foreign)
	}
	return err
}

func (w *workflow) readFiles(ctx context.Context) error {
	if err := w.site.embedded.backend.Flush(ctx); err != nil {
		return err
	}
	root := filepath.Join(w.site.embedded.dir, embeddedBucket)
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return w.readRecords(f)
	})
}

// readS3 reads the objects that came since the start, until every stored record
// is found or the wait is over.
func (w *workflow) readS3(ctx context.Context, started time.Time) error {
	bucket, prefix, err := destination(w.site.description)
	if err != nil {
		return err
	}
	client := admin.S3(w.site.control)
	seen := map[string]bool{}
	stored := int(w.report.PutRecord.Delivered + w.report.Batch.Delivered)
	return w.poll(ctx, func(ctx context.Context) (bool, error) {
		for object, err := range admin.Objects(ctx, client, bucket, prefix) {
			if err != nil {
				return false, err
			}
			// The clocks of here and there may differ by some minutes.
			if seen[object.Key] || object.LastModified.Before(started.Add(-5*time.Minute)) {
				continue
			}
			body, err := admin.ReadObject(ctx, client, bucket, object.Key)
			if err != nil {
				return false, err
			}
			err = errors.Join(w.readRecords(body), body.Close())
			if err != nil {
				return false, err
			}
			seen[object.Key] = true
		}
		return w.ledger.tally().delivered >= stored, nil
	})
}

// destination is the bucket of a stream and the fixed part of its prefix.
func destination(d *types.DeliveryStreamDescription) (bucket, prefix string, err error) {
	if len(d.Destinations) == 0 || d.Destinations[0].ExtendedS3DestinationDescription == nil {
		return "", "", errors.New("the stream does not deliver to S3")
	}
	dest := d.Destinations[0].ExtendedS3DestinationDescription
	arn := aws.ToString(dest.BucketARN)
	bucket = arn[strings.LastIndexByte(arn, ':')+1:]
	prefix, _, _ = strings.Cut(aws.ToString(dest.Prefix), "!{")
	return bucket, prefix, nil
}

// readRecords enters the lines of a delivered object into the ledger.
func (w *workflow) readRecords(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, wire.MaxRecordBytes+1)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) > 0 {
			w.ledger.found(lines.Bytes())
		}
	}
	return lines.Err()
}

// poll calls try until it reports that it is done, fails, or the wait is over;
// the last is no error.
func (w *workflow) poll(ctx context.Context, try func(context.Context) (done bool, err error)) error {
	wait, end := 2*time.Second, time.Now().Add(w.patience())
	for {
		done, err := try(ctx)
		if done || err != nil {
			return err
		}
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		w.Say("not all there yet, looking again in %v (at most %v more)", wait, left.Round(time.Second))
		select {
		case <-time.After(min(wait, left)):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// patience is how long deliveries and metrics may take to show.
func (w *workflow) patience() time.Duration {
	if w.Wait > 0 {
		return w.Wait
	}
	if w.site.embedded != nil {
		return 0
	}
	interval := 5 * time.Minute
	if d := w.site.description.Destinations; len(d) > 0 && d[0].ExtendedS3DestinationDescription != nil {
		if hints := d[0].ExtendedS3DestinationDescription.BufferingHints; hints != nil && hints.IntervalInSeconds != nil {
			interval = time.Duration(*hints.IntervalInSeconds) * time.Second
		}
	}
	return interval + 2*time.Minute
}
