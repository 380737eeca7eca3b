package server

import (
	"context"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// DescribeDeliveryStream
//
// Kept: the constraints and their messages; the one destination with its two
// descriptions, as AWS was seen to send it; the defaults filled in.
// Left out: ExclusiveStartDestinationId skips nothing, since AWS was seen to send
// the one destination even so. LastUpdateTimestamp, since streams cannot be
// updated yet.

func (s *server) describeDeliveryStream(ctx context.Context, c Caller, body []byte) (any, error) {
	in, o := newInput(body)
	input := &DescribeDeliveryStreamInput{DeliveryStreamName: o.streamName()}
	o.between("Limit", 1, 10_000)
	o.limited("ExclusiveStartDestinationId", limits{1, 100, idPattern})
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
	DeliveryStreamEncryptionConfiguration struct{ Status string }
	DeliveryStreamType                    string
	VersionId                             string
	CreateTimestamp                       float64 // seconds since 1970
	Destinations                          []destinationDescription
	HasMoreDestinations                   bool
}

type destinationDescription struct {
	DestinationId                    string
	S3DestinationDescription         s3Description
	ExtendedS3DestinationDescription extendedS3Description
}

type s3Description struct {
	RoleARN                  string
	BucketARN                string
	Prefix                   string `json:",omitempty"`
	ErrorOutputPrefix        string `json:",omitempty"`
	BufferingHints           struct{ SizeInMBs, IntervalInSeconds int }
	CompressionFormat        string
	EncryptionConfiguration  struct{ NoEncryptionConfig string }
	CloudWatchLoggingOptions struct{ Enabled bool }
}

type extendedS3Description struct {
	s3Description
	S3BackupMode   string
	FileExtension  string `json:",omitempty"`
	CustomTimeZone string `json:",omitempty"`
}

func describe(out *DescribeDeliveryStreamOutput) description {
	d := description{
		DeliveryStreamName:   out.DeliveryStreamName,
		DeliveryStreamARN:    out.DeliveryStreamARN,
		DeliveryStreamStatus: out.Status,
		DeliveryStreamType:   "DirectPut",
		VersionId:            out.VersionID,
		CreateTimestamp:      awsapi.EpochSeconds(out.Created),
		Destinations:         []destinationDescription{describeDestination(out.Destination.S3)},
	}
	d.DeliveryStreamEncryptionConfiguration.Status = "DISABLED"
	return d
}

func describeDestination(d *S3Destination) destinationDescription {
	s3 := s3Description{
		RoleARN:           d.RoleARN,
		BucketARN:         d.BucketARN,
		Prefix:            d.Prefix,
		ErrorOutputPrefix: d.ErrorOutputPrefix,
		CompressionFormat: d.CompressionFormat,
	}
	s3.BufferingHints.SizeInMBs = d.SizeInMBs
	s3.BufferingHints.IntervalInSeconds = d.IntervalInSeconds
	s3.EncryptionConfiguration.NoEncryptionConfig = "NoEncryption"
	return destinationDescription{
		DestinationId:                    "destinationId-000000000001",
		S3DestinationDescription:         s3,
		ExtendedS3DestinationDescription: extendedS3Description{s3, "Disabled", d.FileExtension, d.CustomTimeZone},
	}
}
