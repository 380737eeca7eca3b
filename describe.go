package hydrant

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/wire"
)

// describer is a client that can tell what stands behind a stream.
// *firehose.Client is one.
type describer interface {
	DescribeDeliveryStream(context.Context, *firehose.DescribeDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error)
}

// maxSubRecords is the most records that de-aggregation finds in one record; a
// larger pack is not split at all (API model, RecordDeAggregation).
const maxSubRecords = 500

// describePause is the least time between two calls in the background: an
// account gets five a second of each control operation.
const describePause = 300 * time.Millisecond

// describeTimeout bounds one call of DescribeDeliveryStream.
const describeTimeout = 10 * time.Second

// packing is what records are packed into before a stream has been described.
func (c *Config) packing() limits {
	l := limits{packBytes: c.PackBytes, packRecords: 1, callPacks: c.BatchRecords, callBytes: c.BatchBytes, sentBytes: c.BatchBytes}
	if c.Packing == PackFixed {
		l.packRecords = c.PackRecords
	}
	return l
}

// meet looks at the configured stream before the first record.
func (p *Producer) meet(ctx context.Context) error {
	p.mu.Lock()
	s, err := p.streamLocked(p.cfg.Stream)
	p.main = s
	p.mu.Unlock()
	if err != nil || p.admin == nil {
		return err
	}
	for n := 1; ; n++ {
		err := p.describe(ctx, s)
		missing, later := &missingError{}, &unknownError{}
		switch {
		case errors.As(err, &later):
			p.log.Warn("cannot describe the delivery stream yet; records are sent one by one until then",
				slog.String("stream", s.name), slog.Any("error", later.error))
			p.mu.Lock()
			p.askLocked(s)
			p.mu.Unlock()
			return nil
		case !p.cfg.WaitForStream || !errors.As(err, &missing):
			return err
		}
		if n == 1 {
			p.log.Info("waiting for the delivery stream", slog.String("stream", s.name), slog.String("state", strings.TrimPrefix(missing.Error(), "hydrant: ")))
		}
		select {
		case <-time.After(max(p.backoff(n), time.Second)):
		case <-ctx.Done():
			return fmt.Errorf("%w; waited for it: %w", err, ctx.Err())
		}
	}
}

// missingError is a stream that is not there, or not yet.
type missingError struct {
	reason string
	err    error // of the call, or nil
}

func (e *missingError) Error() string { return e.reason }
func (e *missingError) Unwrap() error { return e.err }

// unknownError is a description that may be had later.
type unknownError struct{ error }

// describe asks for the destination of a stream, and packs for it.
func (p *Producer) describe(ctx context.Context, s *stream) error {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	began := time.Now()
	out, err := p.admin.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &s.name}, retriesOff)
	p.log.Debug("control call", slog.String("stream", s.name), slog.String("operation", "DescribeDeliveryStream"),
		slog.Duration("took", time.Since(began)), slog.Bool("failed", err != nil))
	if err != nil {
		return p.undescribed(s, err)
	}
	d := out.DeliveryStreamDescription
	if d == nil {
		return nil
	}
	switch d.DeliveryStreamStatus {
	case types.DeliveryStreamStatusCreating, types.DeliveryStreamStatusDeleting, types.DeliveryStreamStatusCreatingFailed:
		return &missingError{reason: fmt.Sprintf("hydrant: delivery stream %s is %s, it must be ACTIVE to take records", s.name, d.DeliveryStreamStatus)}
	}
	if p.cfg.Packing != PackAuto {
		return nil
	}
	l := p.cfg.packing()
	var why string
	l.packRecords, why = AutoPacking(d, p.cfg.Delimiter)
	if p.compress != nil {
		if objection := keepsBytes(d, l.packRecords, why); objection != "" {
			return fmt.Errorf("hydrant: Compression does not suit delivery stream %s: %s; leave it off, or set PackFixed if whatever reads there decompresses each record", s.name, objection)
		}
	}
	p.mu.Lock()
	s.packLocked(l)
	p.mu.Unlock()
	p.log.Debug("packing", slog.String("stream", s.name), slog.Int("records", l.packRecords), slog.String("reason", why))
	return nil
}

// undescribed tells what it means that a stream could not be described.
func (p *Producer) undescribed(s *stream, err error) error {
	f := callFailure(err)
	switch f.code {
	case wire.CodeResourceNotFound:
		return &missingError{fmt.Sprintf("hydrant: delivery stream %s does not exist%s (%s: %s)", s.name, p.where(), f.code, f.message), err}
	case wire.CodeUnrecognizedClient, wire.CodeInvalidSignature, wire.CodeMissingAuthToken, wire.CodeIncompleteSignature, "InvalidClientTokenId":
		return fmt.Errorf("hydrant: look at delivery stream %s: %w", s.name, err)
	}
	if f.class != wire.Retry && f.class != wire.Renew {
		p.log.Info("may not describe the delivery stream; records are sent one by one",
			slog.String("stream", s.name), slog.String("error", f.String()))
		return nil
	}
	return &unknownError{err}
}

func (p *Producer) where() string {
	if p.cfg.AWS == nil || p.cfg.AWS.Region == "" {
		return ""
	}
	return " in region " + p.cfg.AWS.Region
}

// AutoPacking is how many records PackAuto joins at most for a destination, and why: 1
// is each on its own, math.MaxInt as many as a pack's bytes allow. The delimiter is the
// producer's.
func AutoPacking(d *types.DeliveryStreamDescription, delimiter string) (records int, why string) {
	if len(d.Destinations) != 1 || d.Destinations[0].ExtendedS3DestinationDescription == nil {
		return 1, "the destination is not S3"
	}
	s3 := d.Destinations[0].ExtendedS3DestinationDescription
	if c := s3.DataFormatConversionConfiguration; c != nil && aws.ToBool(c.Enabled) {
		return 1, "the format is converted"
	}
	pc := s3.ProcessingConfiguration
	if pc == nil || !aws.ToBool(pc.Enabled) {
		return math.MaxInt, "S3 keeps the bytes as they are"
	}
	deaggregated := false
	for _, proc := range pc.Processors {
		switch proc.Type {
		case types.ProcessorTypeRecordDeAggregation:
			deaggregated = splitsAt(proc.Parameters, delimiter)
		case types.ProcessorTypeMetadataExtraction, types.ProcessorTypeAppendDelimiterToRecord:
			// They work on what de-aggregation has found.
		default:
			return 1, fmt.Sprintf("the processor %s gets whole records", proc.Type)
		}
	}
	if !deaggregated {
		return 1, "processors get whole records"
	}
	return maxSubRecords, "the stream de-aggregates"
}

// keepsBytes is empty where objects hold compressed packs as they were put, or
// says why they don't.
func keepsBytes(d *types.DeliveryStreamDescription, packRecords int, why string) string {
	if packRecords != math.MaxInt {
		return why
	}
	format := d.Destinations[0].ExtendedS3DestinationDescription.CompressionFormat
	if format != "" && format != types.CompressionFormatUncompressed {
		return fmt.Sprintf("it compresses its objects itself (%s)", format)
	}
	return ""
}

// splitsAt tells whether de-aggregation finds our records in a pack.
func splitsAt(params []types.ProcessorParameter, delimiter string) bool {
	kind, at := "", ""
	for _, p := range params {
		switch p.ParameterName {
		case types.ProcessorParameterNameSubRecordType:
			kind = strings.ToUpper(aws.ToString(p.ParameterValue))
		case types.ProcessorParameterNameDelimiter:
			raw, _ := base64.StdEncoding.DecodeString(aws.ToString(p.ParameterValue))
			at = string(raw)
		}
	}
	return kind == "JSON" || kind == "DELIMITED" && at == delimiter && at != ""
}

// askLocked has a stream described in the background, one at a time.
func (p *Producer) askLocked(s *stream) {
	if p.admin == nil || p.cfg.Packing != PackAuto {
		return
	}
	p.unasked = append(p.unasked, s)
	if len(p.unasked) == 1 {
		p.wg.Go(p.askAll)
	}
}

func (p *Producer) askAll() {
	for n := 0; ; {
		p.mu.Lock()
		s := p.unasked[0]
		p.mu.Unlock()
		later := &unknownError{}
		err := p.describe(p.ctx, s)
		if errors.As(err, &later) {
			n++
			if !p.sleep(p.backoff(n)) {
				return
			}
			continue
		}
		if err != nil { // the put calls meet it too, and settle the records
			p.log.Warn("cannot describe the delivery stream", slog.String("stream", s.name), slog.Any("error", err))
		}
		n = 0
		if !p.sleep(describePause) {
			return
		}
		p.mu.Lock()
		p.unasked = p.unasked[1:]
		done := len(p.unasked) == 0
		p.mu.Unlock()
		if done {
			return
		}
	}
}

// sleep waits for d; false when the producer ends first.
func (p *Producer) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-p.ctx.Done():
		return false
	}
}
