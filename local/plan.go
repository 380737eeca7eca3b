package local

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/local/convert"
	"github.com/hydrant-go/hydrant/local/deliver"
	httpendpoint "github.com/hydrant-go/hydrant/local/deliver/http"
	"github.com/hydrant-go/hydrant/local/process"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// plan is what a stream's settings say of the way of its records:
//
//	enter -> process -> main    S3, with conversion, or an HTTP endpoint
//	    \       \        \
//	     backup  failed   failed
//
// It never changes: an update makes another.
type plan struct {
	stream    *stream
	chain     *process.Chain     // nil: no processors
	converter *convert.Converter // nil: no conversion
	catalog   server.SchemaConfiguration
	endpoint  *httpendpoint.Endpoint // nil: the destination is S3
	http      *server.HTTPDestination
	s3        *bucket // the destination, or where an endpoint's failed records go
	errors    *bucket // the same, with the prefix for errors
	logging   server.Logging
	backup    *bucket // of all that comes in; nil: none
}

// bucket is a place in S3.
type bucket struct {
	*server.S3Destination
	spec        *deliver.Spec
	errorPrefix *deliver.Prefix // as given
}

// newPlan makes a plan, or tells why there can be none by a [*wire.Error]: better
// than a delivery that fails for ever.
func newPlan(s *stream, set *settings) (p *plan, err error) {
	p = &plan{stream: s, http: set.Destination.HTTP}
	d, processing := set.Destination.S3, (*server.Processing)(nil)
	if p.http != nil {
		d, processing, p.logging = &p.http.S3, p.http.Processing, p.http.Logging
		if p.endpoint, err = s.newEndpoint(p.http); err != nil {
			return nil, err
		}
	} else {
		processing, p.logging = d.Processing, d.Logging
	}
	if p.chain, err = s.newChain(d, processing, p.http); err != nil {
		return nil, err
	}
	if p.s3, p.errors, err = newBuckets(set, d); err != nil {
		return nil, err
	}
	switch {
	case p.http != nil && p.http.BackupMode == "AllData":
		p.backup = p.s3
	case p.http == nil && d.BackupMode == "Enabled" && d.Backup != nil:
		if p.backup, _, err = newBuckets(set, d.Backup); err != nil {
			return nil, err
		}
	}
	if c := d.Conversion; c != nil && c.Enabled {
		if p.converter, err = s.newConverter(c); err != nil {
			return nil, err
		}
		p.catalog = *c.SchemaConfiguration
		p.s3.spec.Extension = cmp.Or(d.FileExtension, convert.Extension)
		p.s3.spec.Encoding = p.converter.ContentEncoding()
	}
	if p.chain != nil {
		p.s3.spec.Delimiter = p.chain.Delimiter()
	}
	return p, nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalidArgument, format, args...)
}

func (s *stream) newEndpoint(d *server.HTTPDestination) (*httpendpoint.Endpoint, error) {
	cfg := httpendpoint.Config{
		URL: d.URL, AllowHTTP: s.backend.cfg.AllowHTTP, AccessKey: d.AccessKey, SourceARN: s.arn(),
		Gzip: d.ContentEncoding == "GZIP", RetryFor: s.backend.scaled(time.Duration(d.RetrySeconds) * time.Second), TLS: s.backend.cfg.EndpointTLS, Logger: s.log,
		Attempted: s.countAttempt,
	}
	for _, a := range d.CommonAttributes {
		cfg.CommonAttributes = append(cfg.CommonAttributes, httpendpoint.Attribute(a))
	}
	e, err := httpendpoint.New(cfg)
	if err != nil {
		return nil, invalid("%v", err)
	}
	return e, nil
}

func (s *stream) newChain(d *server.S3Destination, p *server.Processing, endpoint *server.HTTPDestination) (*process.Chain, error) {
	if p == nil || !p.Enabled {
		return nil, nil
	}
	cfg := process.Config{
		StreamARN: s.arn(), Region: s.key.Region, RoleARN: d.RoleARN, DynamicPartitioning: endpoint == nil && partitioned(d),
		Lambda: s.backend.cfg.Lambda, Logger: s.log,
		Invoked: s.countInvocation,
		Queried: func(took time.Duration) {
			s.count("JQProcessing.Duration", float64(took)/float64(time.Millisecond))
		},
	}
	for _, proc := range p.Processors {
		one := process.Processor{Type: proc.Type}
		for _, param := range proc.Parameters {
			one.Parameters = append(one.Parameters, process.Parameter(param))
		}
		cfg.Processors = append(cfg.Processors, one)
	}
	return process.New(cfg)
}

func partitioned(d *server.S3Destination) bool {
	return d.Partitioning != nil && d.Partitioning.Enabled
}

// newConverter makes the conversion by the columns that the Firehose was given for
// its table: there is no Glue here.
func (s *stream) newConverter(c *server.Conversion) (*convert.Converter, error) {
	schema := c.SchemaConfiguration
	name := schema.DatabaseName + "." + schema.TableName
	columns, ok := s.backend.cfg.Tables[name]
	if !ok {
		return nil, invalid("The local Firehose does not know the columns of the Glue table %s: give them to it (hydrant local --table %[1]s=FILE).", name)
	}
	cfg := convert.Config{Columns: columns}
	// The shapes have the API's names on both sides.
	if err := recast(c.InputFormatConfiguration.Deserializer, &cfg.Deserializer); err != nil {
		return nil, err
	}
	if err := recast(c.OutputFormatConfiguration.Serializer, &cfg.Serializer); err != nil {
		return nil, err
	}
	converter, err := convert.New(cfg)
	if err != nil {
		return nil, invalid("%v", err)
	}
	return converter, nil
}

func recast(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// newBuckets tells how a destination's objects are made, and those of its errors.
func newBuckets(set *settings, d *server.S3Destination) (objects, errors *bucket, err error) {
	prefix, err := deliver.ParsePrefix("Prefix", d.Prefix)
	if err != nil {
		return nil, nil, invalid("%v", err)
	}
	errorPrefix, err := deliver.ParsePrefix("ErrorOutputPrefix", d.ErrorOutputPrefix)
	if err != nil {
		return nil, nil, invalid("%v", err)
	}
	spec := &deliver.Spec{
		Bucket: d.Bucket(), Stream: set.Name, Version: strconv.Itoa(set.Version),
		Prefix: prefix, Partitioned: partitioned(d), Compression: d.CompressionFormat, Extension: d.FileExtension,
	}
	if err := spec.Validate(); err != nil {
		return nil, nil, invalid("%v", err)
	}
	if d.CustomTimeZone != "" {
		if spec.Zone, err = zone(d.CustomTimeZone); err != nil {
			return nil, nil, err
		}
	}
	failures := *spec
	failures.Prefix, failures.Errors = deliver.ErrorPrefix(prefix, errorPrefix), true
	failures.Partitioned, failures.Compression, failures.Extension = false, "UNCOMPRESSED", ""
	return &bucket{d, spec, errorPrefix}, &bucket{d, &failures, errorPrefix}, nil
}

// admit refuses what AWS refuses in the prefixes and the zone of a plan, and what could not be
// delivered at some moment of a year: better than a delivery that fails for ever. A
// stream that is brought back is not asked again: it was admitted, if by a hydrant
// that knew less, and its records must get out.
func (p *plan) admit() error {
	main := []*bucket{p.s3}
	if p.backup != nil {
		main = append(main, p.backup)
	}
	for _, b := range main {
		if name := b.CustomTimeZone; name != "" && !hasZone(name) {
			return errZone
		}
		if err := deliver.CheckPrefixes(b.spec.Prefix, b.errorPrefix, b.spec.Partitioned, b.spec.Zone); err != nil {
			return invalid("%v", err)
		}
	}
	if err := p.checkKeys(p.s3.spec.Prefix); err != nil {
		return err
	}
	for _, b := range append(main, p.errors) {
		if err := checkNames(b.spec); err != nil {
			return err
		}
	}
	return nil
}

// checkKeys looks whether a prefix has the partition keys that it needs, and needs
// those that it has.
func (p *plan) checkKeys(prefix *deliver.Prefix) error {
	inQuery, inLambda := prefix.Keys()
	var gives []string
	var query, lambda bool
	if p.chain != nil {
		gives, query = p.chain.Query()
		_, _, lambda = p.chain.Lambda()
	}
	switch {
	case len(inQuery) > 0 && !query:
		return invalid("MetadataExtraction processor should be present when S3 Prefix has partitionKeyFromQuery namespace")
	case len(inLambda) > 0 && !lambda:
		return invalid("Lambda should be present when S3 Prefix contains keys from partitionKeyFromLambda namespace")
	case slices.ContainsFunc(gives, func(key string) bool { return !slices.Contains(inQuery, key) }):
		return invalid("MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix expression")
	}
	return nil
}

// checkNames refuses what no folder or no S3 takes as a key.
func checkNames(s *deliver.Spec) error {
	if s.Bucket == "." || s.Bucket == ".." {
		return invalid("The bucket %q can't be a folder's name, which it is here.", s.Bucket)
	}
	v := anyKeys(s.Prefix).values(time.Time{})
	v.ErrorType = process.MetadataExtractionFailed // the longest
	for v.Time = range deliver.Moments(time.Now(), s.Zone) {
		if err := checkKey(s, v); err != nil {
			return err
		}
	}
	return nil
}

// checkKey refuses values that make a key which can't be delivered to.
func checkKey(s *deliver.Spec, v deliver.Values) error {
	key, err := s.Key(v)
	if err != nil {
		return invalid("%v", err)
	}
	if n := len(key); n > 1024 { // S3's limit, and that of common file systems on a name
		return invalid("Prefix, name and FileExtension make keys of %d bytes, S3's limit is 1024", n)
	}
	if strings.Contains(key, "\x00") {
		return invalid("The prefix makes a key with a NUL, which the local Firehose can't deliver into")
	}
	for part := range strings.SplitSeq(key, "/") {
		switch {
		case len(part) > 255:
			return invalid("Prefix, name and FileExtension make a key with a part of %d bytes between slashes; the local Firehose delivers into files, whose names hold 255", len(part))
		case part == "" || part == "." || part == "..":
			return invalid("The prefix makes a key with a folder named %q, which the local Firehose can't deliver into", part)
		}
	}
	return nil
}

// anyKeys has a value for each partition key of a prefix.
func anyKeys(p *deliver.Prefix) partition {
	k := partition{map[string]string{}, map[string]string{}}
	inQuery, inLambda := p.Keys()
	for _, name := range inQuery {
		k.fromQuery[name] = "x"
	}
	for _, name := range inLambda {
		k.fromLambda[name] = "x"
	}
	return k
}

// setPlan has records go by another plan from now on, those that are buffered too.
func (f *flow) setPlan(p *plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan.close()
	f.plan = p
	for _, b := range f.buffers {
		b.rehintLocked()
	}
}

// close lets go of what a plan keeps open. One that is still at work goes on.
func (p *plan) close() {
	if p.endpoint != nil {
		p.endpoint.Close()
	}
}

// processBytes is what is given to processors at once that invoke no function.
const processBytes = 1 << 20

// hints are the size in bytes and the interval at which a buffer is delivered.
func (p *plan) hints(k kind) (size int, interval time.Duration) {
	scaled := p.stream.backend.scaled
	switch {
	case k == toProcess:
		if p.chain != nil {
			if size, interval, ok := p.chain.Lambda(); ok {
				return size, scaled(interval)
			}
		}
		return processBytes, 0
	case k == toBackup && p.backup != nil:
		return p.backup.SizeInMBs << 20, scaled(time.Duration(p.backup.IntervalInSeconds) * time.Second)
	case k == toDestination && p.http != nil:
		return p.http.SizeInMBs << 20, scaled(time.Duration(p.http.IntervalInSeconds) * time.Second)
	}
	return p.s3.SizeInMBs << 20, scaled(time.Duration(p.s3.IntervalInSeconds) * time.Second)
}

// enterLocked puts records that were read from the journal into buffers.
func (p *plan) enterLocked(f *flow, h *hold, records iter.Seq[record]) {
	if p.backup != nil {
		f.bufferLocked(bufferKey{toBackup, ""}).addLocked(h, partition{}, records)
	}
	first := toDestination
	if p.chain != nil {
		first = toProcess
	}
	f.bufferLocked(bufferKey{first, ""}).addLocked(h, partition{}, records)
}
