package admin

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// ErrorLog is where Firehose logs errors of a delivery stream.
type ErrorLog struct{ Group, Stream string }

// ErrorLogs are the logs that a stream's description names: that of the destination,
// where errors of Lambda functions go too (developer guide, CloudWatch Logs), and that of
// the backup in S3, if it has one. Without any, logging is disabled.
func ErrorLogs(d *types.DeliveryStreamDescription) []ErrorLog {
	var logs []ErrorLog
	for i := range d.Destinations {
		for _, o := range loggingOf(&d.Destinations[i]) {
			if o == nil || !aws.ToBool(o.Enabled) {
				continue
			}
			l := ErrorLog{aws.ToString(o.LogGroupName), aws.ToString(o.LogStreamName)}
			if l.Group != "" && l.Stream != "" && !slices.Contains(logs, l) {
				logs = append(logs, l)
			}
		}
	}
	return logs
}

// loggingOf are the options of a destination and of its backup; either may be nil.
func loggingOf(d *types.DestinationDescription) []*types.CloudWatchLoggingOptions {
	with := func(own *types.CloudWatchLoggingOptions, backup ...*types.S3DestinationDescription) []*types.CloudWatchLoggingOptions {
		all := []*types.CloudWatchLoggingOptions{own}
		for _, b := range backup {
			if b != nil {
				all = append(all, b.CloudWatchLoggingOptions)
			}
		}
		return all
	}
	switch {
	case d.ExtendedS3DestinationDescription != nil:
		t := d.ExtendedS3DestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3BackupDescription)
	case d.HttpEndpointDestinationDescription != nil:
		t := d.HttpEndpointDestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3DestinationDescription)
	case d.RedshiftDestinationDescription != nil:
		t := d.RedshiftDestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3DestinationDescription, t.S3BackupDescription)
	case d.AmazonopensearchserviceDestinationDescription != nil:
		t := d.AmazonopensearchserviceDestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3DestinationDescription)
	case d.AmazonOpenSearchServerlessDestinationDescription != nil:
		t := d.AmazonOpenSearchServerlessDestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3DestinationDescription)
	case d.ElasticsearchDestinationDescription != nil:
		t := d.ElasticsearchDestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3DestinationDescription)
	case d.SplunkDestinationDescription != nil:
		t := d.SplunkDestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3DestinationDescription)
	case d.SnowflakeDestinationDescription != nil:
		t := d.SnowflakeDestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3DestinationDescription)
	case d.IcebergDestinationDescription != nil:
		t := d.IcebergDestinationDescription
		return with(t.CloudWatchLoggingOptions, t.S3DestinationDescription)
	}
	return with(nil, d.S3DestinationDescription)
}

// DeliveryError is a line of an error log (developer guide, HTTP troubleshooting). What
// a line does not say is empty.
type DeliveryError struct {
	Stream      string // the delivery stream's name
	Destination string // a bucket's ARN, an endpoint's URL
	Version     string // of the delivery stream's configuration
	Code        string // such as S3.AccessDenied, see [Remedy]
	Message     string
	Processor   string // the Lambda function's ARN
}

// ParseDeliveryError reads a line of an error log. One that is of another form, as
// where others write to the same log, is all Message.
func ParseDeliveryError(line string) DeliveryError {
	var in struct {
		ARN         string `json:"deliveryStreamARN"`
		Destination string `json:"destination"`
		// AWS was seen to write it as a number for HTTP endpoints, as a string for S3.
		Version   json.RawMessage `json:"deliveryStreamVersionId"`
		Message   string          `json:"message"`
		Code      string          `json:"errorCode"`
		Processor string          `json:"processor"`
	}
	if err := json.Unmarshal([]byte(line), &in); err != nil || in.Message == "" && in.Code == "" {
		return DeliveryError{Message: line}
	}
	_, name, _ := strings.Cut(in.ARN, ":deliverystream/")
	return DeliveryError{
		Stream: name, Destination: in.Destination, Version: strings.Trim(string(in.Version), `"`),
		Code: in.Code, Message: in.Message, Processor: in.Processor,
	}
}

// Remedy is what to do about an error code of Firehose's error logs, or "" for one
// that is not known.
func Remedy(code string) string { return remedies[code] }

const (
	remedyTrust    = "the role's trust policy must let firehose.amazonaws.com assume it (with the right sts:ExternalId, if it asks for one)"
	remedySupport  = "only AWS can tell: open a case with AWS Support"
	remedyAnswer   = "the function must answer with each recordId once, a result of Ok, Dropped or ProcessingFailed, and data in base64"
	remedyEndpoint = "check the endpoint's URL and that it can be reached from AWS by https at port 443; what is given up is in the backup bucket"
)

// remedies are by the codes of the developer guide (monitoring with CloudWatch Logs,
// HTTP troubleshooting) and those that AWS was seen to write.
var remedies = map[string]string{
	"S3.KMS.NotFoundException":    "the bucket's KMS key is not there: enable it or name another, and let the stream's role use it (kms:GenerateDataKey, kms:Decrypt)",
	"S3.KMS.RequestLimitExceeded": "deliver larger objects, seldomer (buffering hints), turn on the bucket's S3 Bucket Keys, or ask AWS for a higher quota of KMS",
	"S3.AccessDenied":             "the stream's role needs s3:PutObject, s3:AbortMultipartUpload, s3:GetBucketLocation and s3:ListBucket on the bucket, and the bucket's policy must not deny it; " + remedyTrust,
	"S3.AccountProblem":           remedySupport,
	"S3.AllAccessDisabled":        remedySupport,
	"S3.InvalidPayer":             remedySupport,
	"S3.NotSignedUp":              "the bucket's account is not signed up for S3: sign it up, or use another bucket",
	"S3.NoSuchBucket":             "create the bucket again, or update the stream's destination; records of Direct PUT wait for 24 hours and are then lost",
	"S3.MethodNotAllowed":         "the bucket's policy must allow the role to put objects",
	"InternalError":               "Firehose tries again by itself; if it goes on, see whether the destination can be reached, and ask AWS Support",

	"HttpEndpoint.RequestTimeout":                 "the endpoint took more than 3 minutes: make it answer sooner, or send it less at once (a smaller buffering hint)",
	"HttpEndpoint.ResponseTooLarge":               "the endpoint must answer with less than 1 MiB",
	"HttpEndpoint.InvalidResponseFromDestination": `the endpoint must answer 200 with Content-Type application/json, no Content-Encoding, and {"requestId": the request's own, "timestamp": milliseconds}`,
	"HttpEndpoint.DestinationException":           "the message has the endpoint's answer: 401 and 403 are the access key, 413 a buffering hint that is too large, 429 too many requests; others are for the endpoint's owner",
	"HttpEndpoint.ConnectionFailed":               remedyEndpoint,
	"HttpEndpoint.ConnectionReset":                "the endpoint breaks connections off: look at its log, and at any proxy before it",
	"HttpEndpoint.SSLHandshakeFailure":            "the endpoint's certificate must be valid for its name, and of an authority that is publicly trusted",

	"Lambda.AssumeRoleAccessDenied":                remedyTrust,
	"Lambda.InvokeAccessDenied":                    "the stream's role needs lambda:InvokeFunction and lambda:GetFunctionConfiguration on the function; " + remedyTrust,
	"Lambda.JsonProcessingException":               remedyAnswer,
	"Lambda.DuplicatedRecordId":                    remedyAnswer,
	"Lambda.MissingRecordId":                       remedyAnswer,
	"Lambda.InvalidReturnFormat":                   remedyAnswer,
	"Lambda.FunctionError":                         "the function failed: its own log, /aws/lambda/NAME, says why",
	"Lambda.FunctionTimedOut":                      "give the function more time (at most 5 minutes), or less at once (the processor's BufferSizeInMBs)",
	"Lambda.ProcessingFailedStatus":                "the function has given these records up, they are under the error prefix in the bucket: its own log, /aws/lambda/NAME, may say why",
	"Lambda.InvokeLimitExceeded":                   "give the function more concurrency, reserved or of the account",
	"Lambda.RequestTooLargeException":              "the function gets more than 6 MiB: lower the processor's BufferSizeInMBs",
	"Lambda.ResourceNotFound":                      "the function is not there: create it again, or update the stream's processor",
	"Lambda.InvalidSubnetIDException":              "the function's VPC configuration names a subnet that is not there",
	"Lambda.InvalidSecurityGroupIDException":       "the function's VPC configuration names a security group that is not there",
	"Lambda.SubnetIPAddressLimitReachedException":  "the function's subnets have no addresses left: give it larger ones",
	"Lambda.ENILimitReachedException":              "the VPC has no network interfaces left: ask AWS for a higher quota",
	"DataFormatConversion.ParseError":              "the record is no JSON that the table's columns can take; it is under the error prefix in the bucket",
	"DataFormatConversion.MalformedData":           "a value does not fit its column's type; the record is under the error prefix in the bucket",
	"DynamicPartitioning.MetadataExtractionFailed": "the jq expression finds no key in the record, or an empty one: let it have a default, as .tenant // \"none\"; the record is under the error prefix in the bucket",
	"Decompression failed.":                        "the stream takes records of CloudWatch Logs only, through a subscription filter",

	// Codes of hydrant local alone.
	"DynamicPartitioning.ActivePartitionsLimitExceeded": "partition by something with fewer values, or ask AWS for more active partitions",
	"Lambda.ConnectionFailed":                           "see that something listens at --lambda-endpoint",
}
