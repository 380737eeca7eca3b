// Package process is what a delivery stream's ProcessingConfiguration does to
// records on their way to the destination, as Amazon Data Firehose does it.
//
// A [Chain] runs a stream's processors in the service's order, whatever their
// order in the configuration:
//
//	Decompression            logs.go    gzip away
//	CloudWatchLogProcessing  logs.go    the messages out of their envelope
//	RecordDeAggregation      split.go   a record into those that were put as one
//	Lambda                   lambda.go  a function changes, drops or fails records
//	MetadataExtraction       query.go   partition keys out of a record
//
// What is known of that order: de-aggregation comes before Lambda, and Lambda
// before the partition keys (developer guide, apply dynamic partitioning to
// aggregated data); AWS was seen to decompress and extract before it invoked
// Lambda, though they were listed the other way. That messages are extracted
// before they are split is told by users, of whose streams a record of 50
// messages was split and one of 2,000 was not.
//
// AppendDelimiterToRecord is no change of a record: AWS was seen to put a
// newline between the records of an object and none after the last. So
// [Chain.Delimiter] tells it, and who makes the object does it.
package process

import (
	"context"
	"time"
)

// Record is a record on its way.
type Record struct {
	// Data is never changed in place: a processor gives a record other bytes.
	Data []byte
	// ID is what a Lambda function knows the record by. It says nothing, is
	// another for every record of a [Chain.Run], and stays when the same records
	// are run again. A record that was split passes it on with a number behind.
	ID string
	// Arrival is when the record was put.
	Arrival time.Time

	// Run sets the fields below; what they hold before does not matter.

	// Raw is what stands for the record in an error line: the bytes as they were
	// put. Of a record that was split it is its own part, unless the whole was
	// compressed: then it is the whole, for what fails after decompression goes
	// to the error output in its compressed form (developer guide, troubleshoot
	// decompression).
	Raw []byte
	// Put is how many of the bytes that were put the record stands for: len(Raw), and
	// of a whole whose parts all have it as Raw nothing but for the first part.
	Put int
	// FromQuery and FromLambda are the partition keys that a query and a
	// function have given; nil is none.
	FromQuery, FromLambda map[string]string
}

// Chain is the processors of a stream. Its methods may be called from many
// goroutines.
type Chain struct {
	processors []Processor
	delimiter  []byte
	lambda     *lambda
	query      *query
	stages     []stage
}

// stage is a processor at work. The error is not nil only when ctx has ended.
type stage func(ctx context.Context, in []Record) (out []Record, failed []Failed, err error)

// each makes a stage of what is done to one record.
func each(do func(context.Context, Record) ([]Record, *Failed)) stage {
	return func(ctx context.Context, in []Record) (out []Record, failed []Failed, err error) {
		out = make([]Record, 0, len(in))
		for _, r := range in {
			got, bad := do(ctx, r)
			if ctx.Err() != nil {
				return nil, nil, context.Cause(ctx)
			}
			out = append(out, got...)
			if bad != nil {
				failed = append(failed, *bad)
			}
		}
		return out, failed, nil
	}
}

// timed is a stage that tells how long it took.
func timed(run stage, tell func(time.Duration)) stage {
	if tell == nil {
		return run
	}
	return func(ctx context.Context, in []Record) ([]Record, []Failed, error) {
		start := time.Now()
		out, failed, err := run(ctx, in)
		if err == nil && len(in) > 0 {
			tell(time.Since(start))
		}
		return out, failed, err
	}
}

// Run processes records, whose bytes it may share in what it returns. Each one ends in out, in failed, or, when a Lambda
// function says Dropped, in neither; one that is split may end in both. The
// order of in is kept in out. It takes as long as the function and its retries
// do, which may be minutes, and returns an error only when ctx has ended:
// nothing is decided then, and the same records may be run again.
func (c *Chain) Run(ctx context.Context, in []Record) (out []Record, failed []Failed, err error) {
	out = make([]Record, len(in))
	for i, r := range in {
		out[i] = Record{Data: r.Data, ID: r.ID, Arrival: r.Arrival, Raw: r.Data, Put: len(r.Data)}
	}
	for _, run := range c.stages {
		var bad []Failed
		if out, bad, err = run(ctx, out); err != nil {
			return nil, nil, err
		}
		failed = append(failed, bad...)
	}
	return out, failed, nil
}

// Processors is the configuration as AWS was seen to describe it: defaults are
// filled in, and parameters that have no effect are gone. It is the caller's.
func (c *Chain) Processors() []Processor {
	out := make([]Processor, len(c.processors))
	for i, p := range c.processors {
		out[i] = Processor{Type: p.Type, Parameters: append([]Parameter{}, p.Parameters...)}
	}
	return out
}

// Delimiter belongs between two records of an object, and not after the last;
// nil is none.
func (c *Chain) Delimiter() []byte { return c.delimiter }

// Lambda tells whether there is a function, and how much is to be collected for
// an invocation of it: bytes of records and time. Run invokes it as often as
// the bytes need.
func (c *Chain) Lambda() (size int, interval time.Duration, ok bool) {
	if c.lambda == nil {
		return 0, 0, false
	}
	return c.lambda.size, c.lambda.interval, true
}

// Query tells whether there is a query for partition keys, and the keys that it
// gives, sorted; they are nil where they can't be read from the query.
func (c *Chain) Query() (keys []string, ok bool) {
	if c.query == nil {
		return nil, false
	}
	return c.query.keys, true
}
