package local

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// plan is what a stream's settings say of the way of its records. It never
// changes: an update makes another.
type plan struct {
	stream *stream
	s3     *bucket // the destination
}

// bucket is an S3 destination.
type bucket struct {
	server.S3Destination
	spec   *deliver.Spec
	metric string // what its metrics begin with
}

// newPlan makes a plan, or tells why there can be none by a [*wire.Error]: better
// than a delivery that fails for ever.
func newPlan(s *stream, set *settings) (*plan, error) {
	p := &plan{stream: s}
	if d := set.Destination.S3; d != nil {
		spec, err := newSpec(set, d)
		if err != nil {
			return nil, err
		}
		p.s3 = &bucket{*d, spec, "DeliveryToS3"}
	}
	return p, nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalidArgument, format, args...)
}

// newSpec tells how a destination's objects are made, or why they could not be.
func newSpec(set *settings, d *server.S3Destination) (*deliver.Spec, error) {
	spec := &deliver.Spec{
		Bucket:      d.Bucket(),
		Prefix:      d.Prefix,
		Stream:      set.Name,
		Version:     strconv.Itoa(set.Version),
		Compression: d.CompressionFormat,
		Extension:   d.FileExtension,
	}
	if err := spec.Validate(); err != nil {
		return nil, invalid("%v", err)
	}
	if d.CustomTimeZone != "" {
		zone, err := time.LoadLocation(d.CustomTimeZone)
		if err != nil || d.CustomTimeZone == "Local" {
			return nil, invalid("CustomTimeZone %s is not the name of a time zone", d.CustomTimeZone)
		}
		spec.Zone = zone
	}
	// S3's limit on keys, and that of common file systems on a name.
	if n := len(spec.Key(time.Now())); n > 1024 {
		return nil, invalid("Prefix, name and FileExtension make keys of %d bytes, S3's limit is 1024", n)
	}
	for part := range strings.SplitSeq(spec.Key(time.Now()), "/") {
		if len(part) > 255 {
			return nil, invalid("Prefix, name and FileExtension make a key with a part of %d bytes between slashes; the local Firehose delivers into files, whose names hold 255", len(part))
		}
	}
	return spec, nil
}

// setPlan has records go by another plan from now on, those that are buffered too.
func (f *flow) setPlan(p *plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = p
	for _, b := range f.buffers {
		b.rehintLocked()
	}
}

// hints are the size in bytes and the interval at which a buffer is delivered.
func (p *plan) hints(k kind) (size int, interval time.Duration) {
	return p.s3.SizeInMBs << 20, p.stream.backend.scaled(time.Duration(p.s3.IntervalInSeconds) * time.Second)
}

// enterLocked puts records that were read from the journal into buffers.
func (p *plan) enterLocked(f *flow, h *hold, records []record) {
	f.bufferLocked(bufferKey{main, ""}).addLocked(h, partition{}, records)
}

// deliver delivers a batch, on the goroutine of who has the buffer's turn. nil
// says that all of it has arrived, or has gone on into other buffers.
func (p *plan) deliver(ctx context.Context, b *buffer, o *batch) error {
	if o.object == nil || o.plan != p {
		o.object, o.plan = p.s3.spec.Object(o.since, bodies(o.records)), p
	}
	err := p.stream.backend.dest.Put(ctx, o.object)
	p.count(p.s3.metric, o, err)
	return err
}

func bodies(records []record) [][]byte {
	list := make([][]byte, len(records))
	for i := range records {
		list[i] = records[i].data
	}
	return list
}

// count takes the samples of a delivery. Bytes are those of the records before
// compression.
func (p *plan) count(metric string, o *batch, err error) {
	s := p.stream
	s.count(metric+".DataFreshness", time.Since(o.since).Seconds())
	if err != nil {
		s.count(metric+".Success", 0)
		return
	}
	s.count(metric+".Success", 1)
	s.count(metric+".Records", float64(len(o.records)))
	s.count(metric+".Bytes", float64(o.bytes))
}
