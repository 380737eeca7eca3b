package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/local/convert"
	"github.com/hydrant-go/hydrant/local/deliver"
	httpendpoint "github.com/hydrant-go/hydrant/local/deliver/http"
	"github.com/hydrant-go/hydrant/local/deliver/s3"
	"github.com/hydrant-go/hydrant/local/logs"
	"github.com/hydrant-go/hydrant/local/process"
	"github.com/hydrant-go/hydrant/wire"
)

// deliver delivers a batch, on the goroutine of who has the buffer's turn. nil
// says that all of it has arrived, or has gone on into other buffers.
func (p *plan) deliver(ctx context.Context, b *buffer, o *batch) error {
	switch {
	case b.key.kind == toProcess:
		return p.process(ctx, b.flow, o)
	case b.key.kind == toDestination && p.endpoint != nil:
		return p.post(ctx, b.flow, o)
	case b.key.kind == toDestination:
		return p.put(ctx, b.flow, o)
	case b.key.kind == toBackup && p.backup != nil:
		return p.store(ctx, p.backup, "BackupToS3", "", o)
	case b.key.kind == toBackup: // no backup any more
		return nil
	}
	metric := ""
	if p.endpoint == nil {
		metric = "DeliveryToS3" // AWS was seen to count errors there
	}
	return p.store(ctx, p.errors, metric, b.key.part, o)
}

// process runs the processors.
func (p *plan) process(ctx context.Context, f *flow, o *batch) error {
	if p.chain == nil { // no processors any more
		f.share(o, func(h *hold) {
			f.bufferLocked(bufferKey{toDestination, ""}).addLocked(h, partition{}, o.all())
		})
		return nil
	}
	in := make([]process.Record, 0, o.n)
	for r := range o.all() {
		in = append(in, process.Record{Data: r.data, ID: sequence(r.number), Arrival: r.at})
	}
	out, bad, err := p.chain.Run(ctx, in)
	if err != nil {
		return err
	}
	p.countProcessing(out)
	f.share(o, func(h *hold) {
		for i := range out {
			p.routeLocked(f, h, &out[i])
		}
		for i := range bad {
			p.failLocked(f, h, &bad[i])
		}
	})
	for i := range bad {
		p.report(bad[i].Code, bad[i].Message, bad[i].LambdaARN)
	}
	return nil
}

// sequence is a record's number in the form of AWS's, which has 56 digits.
func sequence(number uint64) string { return fmt.Sprintf("%056d", number) }

// numberOf is the number of a record that was processed by the name of sequence, or of
// the one that it is a part of.
func numberOf(id string) uint64 {
	whole, _, _ := strings.Cut(id, ".")
	number, _ := strconv.ParseUint(whole, 10, 64)
	return number
}

// share has what enter puts into buffers keep o's records in the journal, as o does.
func (f *flow) share(o *batch, enter func(*hold)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &hold{users: 1, from: o.holds}
	for _, from := range o.holds {
		from.users++
	}
	enter(h)
	f.doneLocked(h)
}

// maxPartitions is how many partitions may have a buffer at once (developer guide,
// limits).
const maxPartitions = 500

// routeLocked puts a record that was processed into its partition's buffer.
func (p *plan) routeLocked(f *flow, h *hold, r *process.Record) {
	rec := record{data: r.Data, raw: r.Raw, put: r.Put, number: numberOf(r.ID), at: r.Arrival}
	key, keys := bufferKey{kind: toDestination}, partition{r.FromQuery, r.FromLambda}
	if p.s3.spec.Partitioned && p.endpoint == nil {
		var fault string
		if key.part, fault = p.partOf(keys, r.Arrival); fault != "" {
			bad := process.Failed{Record: *r, Type: process.MetadataExtractionFailed, Code: "DynamicPartitioning.MetadataExtractionFailed", Message: fault, Attempts: 1, Ended: time.Now()}
			p.failLocked(f, h, &bad)
			return
		}
		if f.buffers[key] == nil && f.partitionsLocked() >= maxPartitions {
			// The type is AWS's (developer guide, partition limit); the code and the text are ours.
			bad := process.Failed{Record: *r, Type: "activePartitionExceeded", Code: "DynamicPartitioning.ActivePartitionsLimitExceeded", Message: fmt.Sprintf("there are %d active partitions, which is the limit", maxPartitions), Attempts: 1, Ended: time.Now()}
			p.failLocked(f, h, &bad)
			p.stream.count("PartitionCountExceeded", 1)
			return
		}
	}
	f.bufferLocked(key).addLocked(h, keys, single(rec))
}

// partOf names a partition by the keys that the prefix uses, or tells why there can
// be none. What makes no name of an object is found here: at the delivery it would fail
// for ever.
func (p *plan) partOf(k partition, at time.Time) (part, fault string) {
	spec := p.s3.spec
	inQuery, inLambda := spec.Prefix.Keys()
	var names []string
	for i, list := range [][]string{inQuery, inLambda} {
		for _, name := range list {
			value := []map[string]string{k.fromQuery, k.fromLambda}[i][name]
			if value == "" {
				return "", "partitionKeys values must not be null or empty"
			}
			names = append(names, name+"="+url.QueryEscape(value))
		}
	}
	if err := checkKey(spec, k.values(at)); err != nil {
		fault = err.Error()
		if e, ok := errors.AsType[*wire.Error](err); ok {
			fault = e.Message
		}
		return "", fault
	}
	return strings.Join(names, "/"), ""
}

func (f *flow) partitionsLocked() (n int) {
	for key := range f.buffers {
		if key.kind == toDestination {
			n++
		}
	}
	return n
}

func (k partition) values(at time.Time) deliver.Values {
	return deliver.Values{Time: at, FromQuery: k.fromQuery, FromLambda: k.fromLambda}
}

// failLocked puts a line about a record that was not processed into its buffer.
func (p *plan) failLocked(f *flow, h *hold, bad *process.Failed) {
	f.errorLocked(h, bad.Type, record{data: bad.AppendLine(nil), put: bad.Record.Put, at: bad.Record.Arrival})
}

// errorLocked puts a line about a record into the buffer of errors of a type.
func (f *flow) errorLocked(h *hold, errorType string, line record) {
	f.bufferLocked(bufferKey{toErrors, errorType}).addLocked(h, partition{}, single(line))
}

// put delivers a batch to the S3 destination.
func (p *plan) put(ctx context.Context, f *flow, o *batch) error {
	if p.converter == nil {
		return p.store(ctx, p.s3, "DeliveryToS3", "", o)
	}
	if !o.converted {
		if err := p.convert(f, o); err != nil {
			return err
		}
	}
	if o.parts == nil { // not one record could be converted
		return nil
	}
	return p.store(ctx, p.s3, "DeliveryToS3", "", o)
}

// convert makes a batch's file. What can't be converted goes to the errors.
func (p *plan) convert(f *flow, o *batch) error {
	parts, bad, err := p.converter.Convert(o.data())
	if err != nil {
		return err
	}
	o.parts, o.converted = parts, true
	p.countConversion(o, bad)
	if len(bad) == 0 {
		return nil
	}
	f.share(o, func(h *hold) {
		for i := range bad {
			r := o.record(bad[i].Index)
			f.errorLocked(h, convert.ErrorOutputType, record{data: p.conversionLine(&bad[i], &r), put: r.put, at: r.at})
		}
	})
	for i := range bad {
		p.report(bad[i].Code, bad[i].Message, "")
	}
	return nil
}

// post delivers a batch to the HTTP endpoint.
func (p *plan) post(ctx context.Context, f *flow, o *batch) error {
	failures := p.endpoint.Deliver(ctx, o.data())
	rest := o.n
	for i := range failures {
		fl := &failures[i]
		if fl.Cancelled {
			rest = fl.From
			continue
		}
		p.report(fl.Code, fl.Message, "")
		if fl.Permanent { // AWS gives these up (developer guide, HTTP endpoint)
			continue
		}
		f.share(o, func(h *hold) {
			for j := fl.From; j < fl.To; j++ {
				r := o.record(j)
				f.errorLocked(h, httpendpoint.ErrorOutputType, record{data: fl.AppendErrorLine(nil, r.data, r.at, sequence(r.number)), put: r.put, at: r.at})
			}
		})
	}
	p.stream.count("DeliveryToHttpEndpoint.DataFreshness", time.Since(o.since).Seconds())
	if rest == o.n {
		return nil
	}
	f.mu.Lock() // what was delivered is not sent again
	defer f.mu.Unlock()
	before := o.weight()
	o.drop(rest)
	f.held -= before - o.weight()
	return ctx.Err()
}

// store delivers a batch as an object.
func (p *plan) store(ctx context.Context, to *bucket, metric, errorType string, o *batch) error {
	if o.object == nil || o.plan != p {
		v := o.keys.values(o.since)
		v.ErrorType = errorType
		object, err := to.spec.Object(v, o.body())
		if err != nil {
			return err
		}
		o.object, o.plan = object, p
	}
	err := p.stream.backend.dest.Put(ctx, o.object)
	if err == nil {
		p.stream.totals.objects.Add(1)
		p.stream.backend.recent.add(o)
	} else {
		p.stream.totals.failures.Add(1)
	}
	if err != nil && ctx.Err() == nil {
		p.report(s3.Code(err), err.Error(), "")
	}
	if metric != "" {
		p.count(metric, o, err)
	}
	if metric == "DeliveryToS3" && errorType == "" && err == nil {
		p.stream.totals.delivered.Add(int64(o.n))
	}
	return err
}

// body is what the object is made of.
func (o *batch) body() [][]byte {
	if o.converted {
		return o.parts
	}
	return o.data()
}

// conversionLine is the line about a record that could not be converted.
func (p *plan) conversionLine(bad *convert.Failed, r *record) []byte {
	c, account := p.catalog, p.stream.key.Account
	line := convert.ErrorRecord{
		AttemptsMade: 1, ArrivalTimestamp: r.at.UnixMilli(), AttemptEndingTimestamp: time.Now().UnixMilli(),
		LastErrorCode: bad.Code, LastErrorMessage: bad.Message, RawData: r.original(), SequenceNumber: sequence(r.number),
		DataCatalogTable: convert.DataCatalogTable{
			CatalogID: cmp.Or(c.CatalogId, account), DatabaseName: c.DatabaseName, TableName: c.TableName,
			Region: cmp.Or(c.Region, p.stream.key.Region), VersionID: cmp.Or(c.VersionId, "LATEST"),
		},
	}
	return line.AppendLine(nil)
}

// report writes what went wrong where the stream's error log is, as AWS does
// (developer guide, monitor with CloudWatch Logs).
func (p *plan) report(code, message, processor string) {
	l, s := p.logging, p.stream
	s.log.Debug("delivery error", slog.String("code", code), slog.String("message", message), slog.String("processor", processor))
	if !l.Enabled {
		return
	}
	// AWS was seen to write the version as a string for S3, and as a number for
	// other destinations.
	version, destination := any(p.s3.spec.Version), p.s3.BucketARN
	if p.http != nil {
		version, destination = json.Number(p.s3.spec.Version), p.http.URL
	}
	line, err := json.Marshal(struct {
		ARN         string `json:"deliveryStreamARN"`
		Destination string `json:"destination"`
		Version     any    `json:"deliveryStreamVersionId"`
		Message     string `json:"message"`
		Code        string `json:"errorCode"`
		Processor   string `json:"processor,omitempty"`
	}{s.arn(), destination, version, message, code, processor})
	if err == nil {
		err = s.backend.logs.Put(s.key.Caller, l.Group, l.Stream, []logs.Event{{Time: time.Now(), Message: string(line)}})
	}
	if err != nil { // as with a role that may not: AWS says nothing either
		s.log.Debug("the error log does not take it", slog.Any("error", err))
	}
}
