package server

import (
	"context"
	"slices"
	"strings"

	"github.com/hydrant-go/hydrant/wire"
)

// CreateDeliveryStream
//
// Kept: the constraints and their messages; S3DestinationConfiguration and
// ExtendedS3DestinationConfiguration with RoleARN, BucketARN, Prefix,
// ErrorOutputPrefix, BufferingHints, CompressionFormat UNCOMPRESSED and GZIP,
// and in the extended form FileExtension and CustomTimeZone; the defaults. What
// is said to be off (Enabled false, S3BackupMode Disabled, NoEncryption) is
// accepted, and so is DirectPutSourceConfiguration, which is only informational
// (API reference).
// Left out, and refused by name: every other setting, whether the API has it or
// not. A setting that was accepted and did nothing would be found out in
// production. Prefixes with expressions are refused, and those that make no
// folder path.

func (s *server) createDeliveryStream(ctx context.Context, c Caller, body []byte) (any, error) {
	in, err := decodeCreate(body)
	if err != nil {
		return nil, err
	}
	out, err := s.Backend.CreateDeliveryStream(ctx, c, in)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// destinations is every destination that the API has.
var destinations = []string{
	"AmazonOpenSearchServerlessDestinationConfiguration",
	"AmazonopensearchserviceDestinationConfiguration",
	"ElasticsearchDestinationConfiguration",
	"ExtendedS3DestinationConfiguration",
	"HttpEndpointDestinationConfiguration",
	"IcebergDestinationConfiguration",
	"RedshiftDestinationConfiguration",
	"S3DestinationConfiguration",
	"SnowflakeDestinationConfiguration",
	"SplunkDestinationConfiguration",
}

// decodeCreate reads and checks the body; the error is an [*wire.Error].
func decodeCreate(body []byte) (*CreateDeliveryStreamInput, error) {
	in, o := newInput(body)
	count := 0
	for _, name := range destinations {
		if o.has(name) {
			count++
		}
	}
	create := &CreateDeliveryStreamInput{DeliveryStreamName: o.streamName()}
	o.source()
	if d := o.object("S3DestinationConfiguration"); d != nil {
		t := d.s3Destination()
		create.Destination.S3 = &t
	}
	if d := o.object("ExtendedS3DestinationConfiguration"); d != nil {
		t := d.extendedS3Destination()
		create.Destination.S3 = &t
	}
	o.refuseRest()
	if count != 1 {
		in.argument = wire.Errorf(wire.CodeInvalidArgument, "Exactly one destination configuration is supported for a Firehose")
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return create, nil
}

// source takes what says where the records come from.
func (o *object) source() {
	kind := o.streamType()
	if kind != nil && *kind != "DirectPut" {
		o.in.refuse("DeliveryStreamType " + *kind)
	}
	if direct := o.object("DirectPutSourceConfiguration"); direct != nil {
		if direct.between("ThroughputHintInMBs", 1, 100) == nil {
			o.in.violations.Required(direct.where("ThroughputHintInMBs"))
		}
		direct.refuseRest()
	}
}

// extendedS3Destination takes an ExtendedS3DestinationConfiguration.
func (o *object) extendedS3Destination() S3Destination {
	extension := o.limited("FileExtension", limits{0, 128, extensionPattern})
	zone := o.limited("CustomTimeZone", limits{0, 50, zonePattern})
	if mode := o.oneOf("S3BackupMode", "Disabled", "Enabled"); mode != nil && *mode == "Enabled" {
		o.in.refuse(o.name("S3BackupMode") + " Enabled")
	}
	o.takeOff("ProcessingConfiguration", false)
	// Conversion and partitioning are on where nothing is said (API reference,
	// for conversion); for partitioning nothing is written, so it has to be said.
	o.takeOff("DataFormatConversionConfiguration", true)
	o.takeOff("DynamicPartitioningConfiguration", true)
	d := o.s3Destination()
	d.FileExtension, d.CustomTimeZone = deref(extension, ""), deref(zone, "")
	return d
}

// takeOff takes a feature's settings if they say that it is off, with whatever
// else they say, and leaves them to be refused if it is on.
func (o *object) takeOff(member string, otherwise bool) {
	text := o.members[member]
	feature := o.object(member)
	if feature != nil && deref(feature.flag("Enabled"), otherwise) {
		o.members[member] = text
	}
}

// s3Destination takes an S3DestinationConfiguration, or what both forms share.
func (o *object) s3Destination() S3Destination {
	d := S3Destination{
		RoleARN:           o.required("RoleARN", limits{1, 512, rolePattern}),
		BucketARN:         o.required("BucketARN", limits{1, 2048, bucketPattern}),
		Prefix:            o.prefix("Prefix"),
		ErrorOutputPrefix: o.prefix("ErrorOutputPrefix"),
		CompressionFormat: o.compression(),
	}
	if name := d.Bucket(); name == "." || name == ".." {
		o.in.refuse(o.name("BucketARN") + " " + d.BucketARN + " (the bucket is a folder here)")
	}
	d.SizeInMBs, d.IntervalInSeconds = o.bufferingHints()
	o.noEncryption()
	o.takeOff("CloudWatchLoggingOptions", false)
	o.refuseRest()
	return d
}

// bucketName is what follows the last colon: bucket names hold none.
func bucketName(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// prefix takes a prefix of keys. The part behind the last slash is only the
// beginning of a name, so it may be anything.
func (o *object) prefix(member string) string {
	prefix := deref(o.limited(member, limits{0, 1024, anyPattern}), "")
	folders := strings.Split(prefix, "/")
	folders = folders[:len(folders)-1]
	switch {
	case strings.Contains(prefix, "!{"):
		o.in.refuse(o.name(member) + " with an expression !{…}")
	case slices.ContainsFunc(folders, func(f string) bool { return f == "" || f == "." || f == ".." }):
		o.in.refuse(o.name(member) + ` with a folder named "", "." or ".."`)
	}
	return prefix
}

// bufferingHints takes both hints, or neither and gives the defaults.
func (o *object) bufferingHints() (size, interval int) {
	hints := o.object("BufferingHints")
	if hints == nil {
		return defaultSizeInMBs, defaultIntervalInSeconds
	}
	s, i := hints.between("SizeInMBs", 1, 128), hints.between("IntervalInSeconds", 0, 900)
	hints.refuseRest()
	if (s == nil) != (i == nil) {
		// The code is AWS's, the words are ours.
		o.in.argument = wire.Errorf(wire.CodeInvalidArgument, "%s must have both SizeInMBs and IntervalInSeconds, or be left out", hints.path)
	}
	return deref(s, defaultSizeInMBs), deref(i, defaultIntervalInSeconds)
}

// Defaults of the buffering hints (API reference).
const (
	defaultSizeInMBs         = 5
	defaultIntervalInSeconds = 300
)

func (o *object) compression() string {
	format := deref(o.oneOf("CompressionFormat", "ZIP", "HADOOP_SNAPPY", "Snappy", "GZIP", "UNCOMPRESSED"), "UNCOMPRESSED")
	switch format {
	case "ZIP", "HADOOP_SNAPPY", "Snappy":
		o.in.refuse(o.name("CompressionFormat") + " " + format)
	}
	return format
}

// noEncryption takes an EncryptionConfiguration that asks for none.
func (o *object) noEncryption() {
	if e := o.object("EncryptionConfiguration"); e != nil {
		e.oneOf("NoEncryptionConfig", "NoEncryption")
		e.refuseRest()
	}
}
