package server

import (
	"cmp"
	"context"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// DescribeDeliveryStream
//
// Kept: the constraints and their messages; the one destination, an S3 bucket with
// its two descriptions, as AWS was seen to send it; the defaults filled in, but for
// those of conversion, which AWS was seen to leave out. What was never set
// (processing, conversion, partitioning, RequestConfiguration) is left out. The
// access key of an HTTP endpoint is never told.
// Left out: ExclusiveStartDestinationId skips nothing, since AWS was seen to send
// the one destination even so. An empty prefix or FileExtension that was given is
// left out, where AWS was seen to send "".

func (s *server) describeDeliveryStream(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := s.newInput(body, "")
	input := &DescribeDeliveryStreamInput{DeliveryStreamName: o.streamName()}
	o.between("Limit", 1, 10_000)
	o.limited("ExclusiveStartDestinationId", destIDs)
	if err := in.err(); err != nil {
		return nil, err
	}
	out, err := s.Backend.DescribeDeliveryStream(ctx, c, input)
	if err != nil {
		return nil, err
	}
	return map[string]any{"DeliveryStreamDescription": describe(out)}, nil
}

type description struct {
	DeliveryStreamName                    string
	DeliveryStreamARN                     string
	DeliveryStreamStatus                  Status
	DeliveryStreamEncryptionConfiguration encryptionDescription
	DeliveryStreamType                    string
	VersionId                             string
	CreateTimestamp                       awsapi.Timestamp
	LastUpdateTimestamp                   *awsapi.Timestamp  `json:",omitempty"`
	Source                                *sourceDescription `json:",omitempty"`
	Destinations                          []destinationDescription
	HasMoreDestinations                   bool
}

type encryptionDescription struct {
	KeyARN             string `json:",omitempty"`
	KeyType            string `json:",omitempty"`
	Status             string
	FailureDescription *Failure `json:",omitempty"`
}

type sourceDescription struct {
	DirectPutSourceDescription struct{ ThroughputHintInMBs int }
}

type destinationDescription struct {
	DestinationId                      string
	S3DestinationDescription           *s3Description         `json:",omitempty"`
	ExtendedS3DestinationDescription   *extendedS3Description `json:",omitempty"`
	HttpEndpointDestinationDescription *httpDescription       `json:",omitempty"`
}

type s3Description struct {
	RoleARN                  string
	BucketARN                string
	Prefix                   string `json:",omitempty"`
	ErrorOutputPrefix        string `json:",omitempty"`
	BufferingHints           hintsDescription
	CompressionFormat        string
	EncryptionConfiguration  kmsDescription
	CloudWatchLoggingOptions Logging
}

type extendedS3Description struct {
	s3Description
	ProcessingConfiguration           *processingDescription `json:",omitempty"`
	S3BackupMode                      string
	S3BackupDescription               *s3Description           `json:",omitempty"`
	DataFormatConversionConfiguration *Conversion              `json:",omitempty"`
	DynamicPartitioningConfiguration  *partitioningDescription `json:",omitempty"`
	FileExtension                     string                   `json:",omitempty"`
	CustomTimeZone                    string                   `json:",omitempty"`
}

type httpDescription struct {
	EndpointConfiguration struct {
		Url  string
		Name string `json:",omitempty"`
	}
	BufferingHints              hintsDescription
	CloudWatchLoggingOptions    Logging
	RequestConfiguration        *requestDescription    `json:",omitempty"`
	ProcessingConfiguration     *processingDescription `json:",omitempty"`
	RoleARN                     string                 `json:",omitempty"`
	RetryOptions                retryDescription
	S3BackupMode                string
	S3DestinationDescription    *s3Description
	SecretsManagerConfiguration *SecretsManager `json:",omitempty"`
}

type (
	hintsDescription struct{ SizeInMBs, IntervalInSeconds int }
	kmsDescription   struct {
		NoEncryptionConfig  string                         `json:",omitempty"`
		KMSEncryptionConfig *struct{ AWSKMSKeyARN string } `json:",omitempty"`
	}
	retryDescription        struct{ DurationInSeconds int }
	partitioningDescription struct {
		Enabled      bool
		RetryOptions retryDescription
	}
	requestDescription struct {
		ContentEncoding  string
		CommonAttributes []Attribute
	}
	processingDescription struct {
		Enabled    bool
		Processors []processorDescription
	}
	processorDescription struct {
		Type       string
		Parameters []Parameter
	}
)

func describe(out *DescribeDeliveryStreamOutput) description {
	d := description{
		DeliveryStreamName:   out.DeliveryStreamName,
		DeliveryStreamARN:    out.DeliveryStreamARN,
		DeliveryStreamStatus: out.Status,
		DeliveryStreamEncryptionConfiguration: encryptionDescription{
			out.Encryption.KeyARN, out.Encryption.KeyType, cmp.Or(out.Encryption.Status, "DISABLED"), out.Encryption.Failure,
		},
		DeliveryStreamType: "DirectPut",
		VersionId:          out.VersionID,
		CreateTimestamp:    awsapi.Timestamp(out.Created),
		Destinations:       []destinationDescription{out.Destination.describe()},
	}
	if out.LastUpdate != (time.Time{}) {
		d.LastUpdateTimestamp = new(awsapi.Timestamp(out.LastUpdate))
	}
	if out.ThroughputHintInMBs > 0 {
		d.Source = &sourceDescription{}
		d.Source.DirectPutSourceDescription.ThroughputHintInMBs = out.ThroughputHintInMBs
	}
	return d
}

func (d Destination) describe() destinationDescription {
	out := destinationDescription{DestinationId: "destinationId-000000000001"}
	if d.S3 != nil {
		out.S3DestinationDescription, out.ExtendedS3DestinationDescription = d.S3.describe(), d.S3.describeExtended()
	}
	if d.HTTP != nil {
		out.HttpEndpointDestinationDescription = d.HTTP.describe()
	}
	return out
}

func (d *S3Destination) describe() *s3Description {
	if d == nil {
		return nil
	}
	out := &s3Description{
		RoleARN:                  d.RoleARN,
		BucketARN:                d.BucketARN,
		Prefix:                   d.Prefix,
		ErrorOutputPrefix:        d.ErrorOutputPrefix,
		BufferingHints:           hintsDescription{d.SizeInMBs, d.IntervalInSeconds},
		CompressionFormat:        d.CompressionFormat,
		CloudWatchLoggingOptions: d.Logging,
	}
	if d.KMSKeyARN == "" {
		out.EncryptionConfiguration.NoEncryptionConfig = "NoEncryption"
	} else {
		out.EncryptionConfiguration.KMSEncryptionConfig = &struct{ AWSKMSKeyARN string }{d.KMSKeyARN}
	}
	return out
}

func (d *S3Destination) describeExtended() *extendedS3Description {
	out := &extendedS3Description{
		s3Description:                     *d.describe(),
		ProcessingConfiguration:           d.Processing.describe(),
		S3BackupMode:                      d.BackupMode,
		S3BackupDescription:               d.Backup.describe(),
		DataFormatConversionConfiguration: d.Conversion,
		FileExtension:                     d.FileExtension,
		CustomTimeZone:                    d.CustomTimeZone,
	}
	if p := d.Partitioning; p != nil {
		out.DynamicPartitioningConfiguration = &partitioningDescription{p.Enabled, retryDescription{p.RetrySeconds}}
	}
	return out
}

func (d *HTTPDestination) describe() *httpDescription {
	out := &httpDescription{
		BufferingHints:              hintsDescription{d.SizeInMBs, d.IntervalInSeconds},
		CloudWatchLoggingOptions:    d.Logging,
		ProcessingConfiguration:     d.Processing.describe(),
		RoleARN:                     d.RoleARN,
		RetryOptions:                retryDescription{d.RetrySeconds},
		S3BackupMode:                d.BackupMode,
		S3DestinationDescription:    d.S3.describe(),
		SecretsManagerConfiguration: d.Secrets,
	}
	out.EndpointConfiguration.Url, out.EndpointConfiguration.Name = d.URL, d.Name
	if d.ContentEncoding != "" || d.CommonAttributes != nil {
		out.RequestConfiguration = &requestDescription{cmp.Or(d.ContentEncoding, "NONE"), append([]Attribute{}, d.CommonAttributes...)}
	}
	return out
}

// describe words lists that are empty as such, never as null.
func (p *Processing) describe() *processingDescription {
	if p == nil {
		return nil
	}
	out := &processingDescription{p.Enabled, []processorDescription{}}
	for _, each := range p.Processors {
		out.Processors = append(out.Processors, processorDescription{each.Type, append([]Parameter{}, each.Parameters...)})
	}
	return out
}
