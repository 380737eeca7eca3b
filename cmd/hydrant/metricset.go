package main

import (
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// unit is how a figure's values are written.
type unit string

const (
	inCount          unit = "count"
	inBytes          unit = "bytes"
	inShare          unit = "share" // of 1
	inSeconds        unit = "seconds"
	inMillis         unit = "milliseconds"
	inBytesPerSecond unit = "bytes_per_second"
)

// stat is a statistic of a metric of AWS/Firehose.
type stat struct{ name, stat string }

// adds tells of a statistic of what has happened: AWS was seen to take a sample for each
// call and delivery, so that a period without a datapoint is one in which nothing
// happened. Of any other it says nothing.
func (s stat) adds() bool { return s.stat == "Sum" || s.stat == "SampleCount" }

// figure is a number of a stream for each period, made of metrics.
type figure struct {
	key   string // in JSON
	label string
	unit  unit
	of    []stat
	// value makes it of the statistics of a period of so many seconds; nil is the first
	// one. NaN is missing, in and out.
	value func(v []float64, seconds float64) float64
}

func sumOf(key, label string, u unit, metric string) figure {
	return figure{key, label, u, []stat{{metric, "Sum"}}, nil}
}

func highestOf(key, label string, u unit, metric string) figure {
	return figure{key, label, u, []stat{{metric, "Maximum"}}, nil}
}

// successOf is the share of what has succeeded. AWS calls such metrics the sum of
// successes over the sum of attempts (developer guide, metrics); here it is that of
// the samples, so that busy periods count for more than quiet ones.
func successOf(key, label, metric string) figure {
	return figure{key, label, inShare, samplesOf(metric), func(v []float64, _ float64) float64 { return v[1] / v[0] }}
}

// failedOf is how many attempts have failed. It is exact where each attempt is a sample of
// 0 or 1, which of AWS is UNVERIFIED.
func failedOf(key, label, metric string) figure {
	return figure{key, label, inCount, samplesOf(metric), func(v []float64, _ float64) float64 { return v[0] - v[1] }}
}

func samplesOf(metric string) []stat { return []stat{{metric, "SampleCount"}, {metric, "Sum"}} }

// quotaLimits are a stream's quotas per second. The lower one counts where one has changed.
var quotaLimits = []stat{{"BytesPerSecondLimit", "Minimum"}, {"RecordsPerSecondLimit", "Minimum"}, {"PutRequestsPerSecondLimit", "Minimum"}}

var incomingFigures = []figure{
	sumOf("incoming_records", "incoming records", inCount, "IncomingRecords"),
	sumOf("incoming_bytes", "incoming bytes", inBytes, "IncomingBytes"),
	sumOf("incoming_calls", "incoming calls", inCount, "IncomingPutRequests"),
	sumOf("throttled_records", "throttled records", inCount, "ThrottledRecords"),
	{"quota_share", "quota used", inShare, slices.Concat([]stat{{"IncomingBytes", "Sum"}, {"IncomingRecords", "Sum"}, {"IncomingPutRequests", "Sum"}}, quotaLimits), quotaShare},
}

// quotaShare is how much of the quota is used that is nearest to its end. The metrics
// are by the minute and quotas by the second: a burst within the minute may be
// throttled while this is low.
func quotaShare(v []float64, seconds float64) float64 {
	share := math.NaN()
	for i, limit := range v[3:] {
		if used := v[i] / seconds / limit; !(used <= share) && limit > 0 {
			share = used
		}
	}
	return share
}

// deliveryFigures are what the metrics of a destination say, whose names begin with prefix.
func deliveryFigures(prefix string) []figure {
	return []figure{
		sumOf("delivered_records", "delivered records", inCount, prefix+".Records"),
		sumOf("delivered_bytes", "delivered bytes", inBytes, prefix+".Bytes"),
		failedOf("failed_deliveries", "failed deliveries", prefix+".Success"),
		successOf("success", "success", prefix+".Success"),
		highestOf("data_freshness_seconds", "data freshness", inSeconds, prefix+".DataFreshness"),
	}
}

const s3Prefix, httpPrefix = "DeliveryToS3", "DeliveryToHttpEndpoint"

// metricTarget is where a stream delivers to, as far as its metrics go.
type metricTarget struct {
	key     string // in JSON
	name    string
	figures []figure
	note    string // what is not shown, and why
}

// unknownTarget is that of a stream whose description can't be read.
func unknownTarget() metricTarget {
	return metricTarget{key: "unknown", name: "S3, it is supposed", figures: slices.Concat(incomingFigures, deliveryFigures(s3Prefix))}
}

// targetOf is that of a stream.
func targetOf(d *types.DeliveryStreamDescription) metricTarget {
	if len(d.Destinations) == 0 {
		return unknownTarget()
	}
	var t metricTarget
	switch to := &d.Destinations[0]; {
	case to.HttpEndpointDestinationDescription != nil:
		t = httpTarget(to.HttpEndpointDestinationDescription)
	case to.ExtendedS3DestinationDescription != nil:
		t = s3Target(to.ExtendedS3DestinationDescription)
	default:
		t = otherTarget(to)
	}
	t.figures = slices.Concat(incomingFigures, t.figures)
	if e := d.DeliveryStreamEncryptionConfiguration; e != nil && e.KeyType == types.KeyTypeCustomerManagedCmk {
		t.figures = append(t.figures, figure{
			"key_failures", "KMS key failures", inCount,
			[]stat{{"KMSKeyAccessDenied", "Sum"}, {"KMSKeyDisabled", "Sum"}, {"KMSKeyInvalidState", "Sum"}, {"KMSKeyNotFound", "Sum"}},
			func(v []float64, _ float64) float64 { return v[0] + v[1] + v[2] + v[3] },
		})
	}
	return t
}

func s3Target(d *types.ExtendedS3DestinationDescription) metricTarget {
	t := metricTarget{key: "s3", name: "S3", figures: deliveryFigures(s3Prefix)}
	if d.DynamicPartitioningConfiguration != nil && aws.ToBool(d.DynamicPartitioningConfiguration.Enabled) {
		t.figures = append(t.figures,
			sumOf("delivered_objects", "delivered objects", inCount, s3Prefix+".ObjectCount"),
			highestOf("partitions", "partitions", inCount, "PartitionCount"),
			highestOf("partitions_exceeded", "too many partitions", inCount, "PartitionCountExceeded"),
			highestOf("partition_throughput", "busiest partition", inBytesPerSecond, "PerPartitionThroughput"),
			highestOf("jq_milliseconds", "longest jq run", inMillis, "JQProcessing.Duration"))
	}
	t.figures = append(t.figures, processingFigures(d.ProcessingConfiguration)...)
	if c := d.DataFormatConversionConfiguration; c != nil && aws.ToBool(c.Enabled) {
		t.figures = append(t.figures,
			sumOf("converted_records", "converted records", inCount, "SucceedConversion.Records"),
			sumOf("unconverted_records", "not converted", inCount, "FailedConversion.Records"))
	}
	if d.S3BackupMode == types.S3BackupModeEnabled {
		t.figures = append(t.figures, backupFigures()...)
	}
	return t
}

func httpTarget(d *types.HttpEndpointDestinationDescription) metricTarget {
	t := metricTarget{key: "http_endpoint", name: "an HTTP endpoint", figures: deliveryFigures(httpPrefix)}
	t.figures = append(t.figures, sumOf("attempted_records", "attempted records", inCount, httpPrefix+".ProcessedRecords"))
	t.figures = append(t.figures, processingFigures(d.ProcessingConfiguration)...)
	if d.S3BackupMode == types.HttpEndpointS3BackupModeAllData {
		t.figures = append(t.figures, backupFigures()...)
	}
	return t
}

func backupFigures() []figure {
	return []figure{
		sumOf("backup_records", "backup records", inCount, "BackupToS3.Records"),
		successOf("backup_success", "backup success", "BackupToS3.Success"),
		highestOf("backup_freshness_seconds", "backup freshness", inSeconds, "BackupToS3.DataFreshness"),
	}
}

// processingFigures are what the metrics of processors say.
func processingFigures(c *types.ProcessingConfiguration) (list []figure) {
	if c == nil || !aws.ToBool(c.Enabled) {
		return nil
	}
	for _, p := range c.Processors {
		switch p.Type {
		case types.ProcessorTypeLambda:
			list = append(list,
				successOf("function_success", "function success", "ExecuteProcessing.Success"),
				highestOf("function_milliseconds", "longest invocation", inMillis, "ExecuteProcessing.Duration"),
				sumOf("processed_records", "processed records", inCount, "SucceedProcessing.Records"))
		case types.ProcessorTypeDecompression:
			list = append(list,
				sumOf("decompressed_records", "decompressed", inCount, "OutputDecompressedRecords.Success"),
				sumOf("undecompressed_records", "not decompressed", inCount, "OutputDecompressedRecords.Failed"))
		}
	}
	return list
}

// otherTarget is one of those that hydrant local has not: their metrics are as the
// developer guide has them, and not seen.
func otherTarget(d *types.DestinationDescription) metricTarget {
	switch {
	case d.RedshiftDestinationDescription != nil:
		return metricTarget{key: "redshift", name: "Redshift", figures: deliveryFigures("DeliveryToRedshift")}
	case d.AmazonopensearchserviceDestinationDescription != nil:
		return metricTarget{key: "opensearch", name: "OpenSearch", figures: deliveryFigures("DeliveryToAmazonOpenSearchService")}
	case d.AmazonOpenSearchServerlessDestinationDescription != nil:
		return metricTarget{key: "opensearch_serverless", name: "OpenSearch Serverless", figures: deliveryFigures("DeliveryToAmazonOpenSearchServerless")}
	case d.ElasticsearchDestinationDescription != nil:
		return metricTarget{key: "elasticsearch", name: "Elasticsearch", figures: deliveryFigures("DeliveryToElasticsearch")}
	case d.SplunkDestinationDescription != nil:
		return metricTarget{key: "splunk", name: "Splunk", figures: deliveryFigures("DeliveryToSplunk")}
	case d.S3DestinationDescription != nil:
		return metricTarget{key: "s3", name: "S3", figures: deliveryFigures(s3Prefix)}
	}
	return metricTarget{key: "other", name: "a destination of another kind", note: "hydrant does not know the metrics of this stream's destination, so only those of what comes in are shown"}
}
