package server

import (
	"strings"

	"github.com/hydrant-go/hydrant/wire"
)

// Destination is where a stream delivers to. Exactly one of its members is set.
// It is plain data: what encoding/json writes of it, it reads back to an equal
// value. Lists and maps that are empty are nil.
type Destination struct {
	S3   *S3Destination   `json:",omitempty"`
	HTTP *HTTPDestination `json:",omitempty"`
}

// S3Destination is an S3 bucket, from either of the API's two forms. The second
// group of members is of the extended form alone, which backups have not.
type S3Destination struct {
	RoleARN           string
	BucketARN         string
	Prefix            string
	ErrorOutputPrefix string
	SizeInMBs         int    // 1 to 128, in MiB of raw bytes; default 5, or 128 if records are converted or partitioned
	IntervalInSeconds int    // 0 to 900; default 300
	CompressionFormat string // UNCOMPRESSED (the default), GZIP, ZIP, Snappy or HADOOP_SNAPPY
	KMSKeyARN         string // "" is no encryption
	Logging           Logging

	FileExtension  string         // "" is the format's own
	CustomTimeZone string         // IANA name, "" is UTC
	Processing     *Processing    `json:",omitempty"` // nil if it was never set
	BackupMode     string         // Disabled (the default) or Enabled
	Backup         *S3Destination `json:",omitempty"` // set if BackupMode is Enabled
	Conversion     *Conversion    `json:",omitempty"` // nil if it was never set
	Partitioning   *Partitioning  `json:",omitempty"` // nil if it was never set
}

// Bucket is the name in BucketARN: bucket names hold no colon.
func (d *S3Destination) Bucket() string {
	return d.BucketARN[strings.LastIndexByte(d.BucketARN, ':')+1:]
}

// HTTPDestination is an HTTP endpoint.
type HTTPDestination struct {
	URL               string
	Name              string // "" is none
	AccessKey         string // "" is none; it is never described
	SizeInMBs         int    // 1 to 64, in MiB of raw bytes; default 5
	IntervalInSeconds int    // 0 to 900; default 300
	Logging           Logging
	ContentEncoding   string      // "" if it was never set, which is NONE; NONE or GZIP
	CommonAttributes  []Attribute // up to 50, each name once
	Processing        *Processing `json:",omitempty"` // nil if it was never set
	RoleARN           string      // "" is none
	RetrySeconds      int         // 0 to 7,200; default 300
	BackupMode        string      // FailedDataOnly (the default) or AllData
	S3                S3Destination
	Secrets           *SecretsManager `json:",omitempty"` // nil if it was never set
}

// Attribute is sent with every request to an HTTP endpoint.
type Attribute struct {
	Name  string `json:"AttributeName"`
	Value string `json:"AttributeValue"`
}

// Logging says where errors are logged to, in CloudWatch Logs. Both names are set
// if it is enabled.
type Logging struct {
	Enabled bool
	Group   string `json:"LogGroupName,omitempty"`
	Stream  string `json:"LogStreamName,omitempty"`
}

// Processing is what is done to records before they are delivered.
type Processing struct {
	Enabled    bool
	Processors []Processor // 1 to 5 if enabled, of the type Lambda at most one
}

// Processor is one step of the processing: Lambda, MetadataExtraction and so on.
type Processor struct {
	Type       string
	Parameters []Parameter // with the service's defaults, each name once
}

// Parameter is a setting of a processor.
type Parameter struct {
	Name  string `json:"ParameterName"`
	Value string `json:"ParameterValue"`
}

// Partitioning is dynamic partitioning.
type Partitioning struct {
	Enabled      bool
	RetrySeconds int // 0 to 7,200; default 300
}

// SecretsManager names the secret that holds an access key.
type SecretsManager struct {
	Enabled   bool
	SecretARN string `json:",omitempty"` // set if it is enabled
	RoleARN   string `json:",omitempty"`
}

// on tells whether records are converted; a nil Conversion is off.
func (c *Conversion) on() bool { return c != nil && c.Enabled }

func (p *Partitioning) on() bool { return p != nil && p.Enabled }

// partitioned tells whether d is dynamically partitioned.
func (d Destination) partitioned() bool { return d.S3 != nil && d.S3.Partitioning.on() }

// kinds is every destination that the API has, as it begins in
// S3DestinationConfiguration and S3DestinationUpdate.
var kinds = []string{
	"AmazonOpenSearchServerless", "Amazonopensearchservice", "Elasticsearch", "ExtendedS3", "HttpEndpoint", "Iceberg", "Redshift", "S3", "Snowflake", "Splunk",
}

// destinations counts the destinations of an input.
func (o *object) destinations() (n int) {
	for _, kind := range kinds {
		if o.has(kind + "Destination" + o.in.suffix) {
			n++
		}
	}
	return n
}

// destination takes the destinations that are supported, and returns what they
// make of was.
func (o *object) destination(was Destination) Destination {
	var d Destination
	name := "Destination" + o.in.suffix
	o.within("S3"+name, func(o *object) { d.S3 = o.overS3(was.S3, (*object).s3) })
	o.within("ExtendedS3"+name, func(o *object) { d.S3 = o.overS3(was.S3, (*object).extendedS3) })
	o.within("HttpEndpoint"+name, func(o *object) { d.HTTP = o.overHTTP(was.HTTP) })
	return d
}

// check tells what does not go together in a destination that has taken the
// place of was, the zero value for a new stream.
func (d Destination) check(was Destination) error {
	// The rules are the developer guide's, the words ours: AWS's are not known.
	if was != (Destination{}) && d.partitioned() != was.partitioned() {
		if d.partitioned() {
			return invalid("Dynamic partitioning can only be enabled when a Firehose is created.")
		}
		return invalid("Dynamic partitioning cannot be disabled once it is enabled.")
	}
	switch {
	case d.S3 != nil:
		return d.S3.check(was.S3)
	case d.HTTP != nil:
		return d.HTTP.check(was.HTTP)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalidArgument, format, args...)
}

// hints takes both buffering hints, or neither.
func (o *object) hints(size, interval *int, maxSize int) {
	o.within("BufferingHints", func(o *object) {
		s, i := o.between("SizeInMBs", 1, maxSize), o.between("IntervalInSeconds", 0, 900)
		if (s == nil) != (i == nil) {
			// The code is AWS's, the words are ours.
			o.in.fault("%s must have both SizeInMBs and IntervalInSeconds, or be left out", o.path)
		}
		set(size, s)
		set(interval, i)
	})
}

// Defaults of the buffering hints. For HTTP endpoints the API reference has 300
// seconds, and the developer guide's page on buffering 60.
const (
	defaultSizeInMBs         = 5
	defaultIntervalInSeconds = 300
)

func (o *object) logging(l *Logging) {
	o.within("CloudWatchLoggingOptions", func(o *object) {
		set(&l.Enabled, o.flag("Enabled"))
		set(&l.Group, o.limited("LogGroupName", logGroups))
		set(&l.Stream, o.limited("LogStreamName", logStreams))
	})
}

func (l *Logging) check() error {
	switch {
	case l.Enabled && l.Group == "":
		return invalid("CloudWatch Log Group Name is required if CloudWatch Logging is enabled")
	case l.Enabled && l.Stream == "": // in the words of the other: AWS's are not known
		return invalid("CloudWatch Log Stream Name is required if CloudWatch Logging is enabled")
	}
	return nil
}

// retrySeconds takes RetryOptions.
func (o *object) retrySeconds(seconds *int) {
	o.within("RetryOptions", func(o *object) { set(seconds, o.between("DurationInSeconds", 0, 7200)) })
}

// defaultRetrySeconds is how long deliveries are tried again: of partitions, AWS
// was seen to give that; for HTTP endpoints it is Terraform's default, AWS's is not
// known.
const defaultRetrySeconds = 300
