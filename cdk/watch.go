package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// metric is one of the stream's own, which Firehose publishes each minute.
func (s *stack) metric(name, statistic string) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     jsii.String("AWS/Firehose"),
		MetricName:    &name,
		Statistic:     &statistic,
		Period:        awscdk.Duration_Minutes(jsii.Number(5)),
		DimensionsMap: &map[string]*string{"DeliveryStreamName": s.stream.Ref()},
	})
}

func expression(text, label string, using map[string]awscloudwatch.IMetric) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression:   &text,
		Label:        &label,
		Period:       awscdk.Duration_Minutes(jsii.Number(5)),
		UsingMetrics: &using,
	})
}

// lateness is how much older the oldest record is than the buffer interval explains: an
// object can take 1.5 times as long (developer guide, dynamic partitioning). A template
// can't calculate, so the metric does.
func (s *stack) lateness() awscloudwatch.IMetric {
	return expression("age - 1.5 * "+*s.ref("BufferIntervalSeconds"), "seconds late", map[string]awscloudwatch.IMetric{
		"age": s.metric("DeliveryToS3.DataFreshness", "Maximum"),
	})
}

// share is the percentage of a quota that is used, on average over a period: shorter
// bursts show as ThrottledRecords alone.
func (s *stack) share(id, incoming, limit, label string) awscloudwatch.IMetric {
	return expression("100 * "+id+" / PERIOD("+id+") / "+id+"Limit", label, map[string]awscloudwatch.IMetric{
		id:           s.metric(incoming, "Sum"),
		id + "Limit": s.metric(limit, "Minimum"),
	})
}

func (s *stack) byteShare() awscloudwatch.IMetric {
	return s.share("bytes", "IncomingBytes", "BytesPerSecondLimit", "bytes, % of quota")
}

func (s *stack) recordShare() awscloudwatch.IMetric {
	return s.share("records", "IncomingRecords", "RecordsPerSecondLimit", "records, % of quota")
}

func (s *stack) putShare() awscloudwatch.IMetric {
	return s.share("puts", "IncomingPutRequests", "PutRequestsPerSecondLimit", "put requests, % of quota")
}

const (
	above = awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD
	below = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
)

func (s *stack) addAlarms() {
	// The CDK takes what stands for the parameter for a metric's name.
	awscdk.Annotations_Of(s.root).AcknowledgeWarning(jsii.String("CloudWatch:Math:UnknownIdentifier"), jsii.String("a parameter"))
	s.alarm("LateAlarm", s.lateness(), above, 300,
		"Records wait more than 5 minutes longer than 1.5 buffer intervals. Firehose tries for 24 hours, then they are lost: see the delivery errors in the log group.")
	s.alarm("DeliveryAlarm", s.metric("DeliveryToS3.Success", "Average"), below, 1,
		"Puts of objects into the bucket fail. Firehose tries for 24 hours, then records are lost: see the delivery errors in the log group.")
	s.alarm("ThrottleAlarm", s.metric("ThrottledRecords", "Sum"), above, 0,
		"Records were refused as they went over a quota of the stream. Producers must send them again: smooth the rate, pack records, or ask AWS for more.")
	const soon = " are at more than 80 % of the stream's quota, on average over 5 minutes. Ask AWS for more, or spread them over streams."
	s.alarm("ByteQuotaAlarm", s.byteShare(), above, 80, "Incoming bytes"+soon)
	s.alarm("RecordQuotaAlarm", s.recordShare(), above, 80, "Incoming records"+soon+" Packed records count as one.")
	s.alarm("PutQuotaAlarm", s.putShare(), above, 80, "Put requests"+soon+" Batches count as one.")
	if len(s.partitions) > 0 {
		s.alarm("PartitionAlarm", s.metric("PartitionCountExceeded", "Maximum"), above, 0,
			"More partitions are active than the stream's limit, and records go to the error prefix instead. Partition by what has fewer values, or ask AWS for more.")
	}
}

// alarm adds an alarm. A stream that nobody puts into has no metrics, and is fine.
func (s *stack) alarm(name string, of awscloudwatch.IMetric, compared awscloudwatch.ComparisonOperator, threshold float64, description string) {
	a := awscloudwatch.NewAlarm(s.root, &name, &awscloudwatch.AlarmProps{
		AlarmDescription:   &description,
		Metric:             of,
		ComparisonOperator: compared,
		Threshold:          &threshold,
		EvaluationPeriods:  jsii.Number(1),
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
	a.Node().DefaultChild().(awscloudwatch.CfnAlarm).AddPropertyOverride(jsii.String("AlarmActions"),
		s.ifSet("AlarmTopicArn", []*string{s.ref("AlarmTopicArn")}, awscdk.Aws_NO_VALUE()))
}

// addDashboard adds a page of what Firehose publishes of the stream. Dashboards are
// those of an account, whatever their region.
func (s *stack) addDashboard() (name *string) {
	d := awscloudwatch.NewDashboard(s.root, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName:   jsii.String(*awscdk.Aws_STACK_NAME() + "-" + *awscdk.Aws_REGION()),
		DefaultInterval: awscdk.Duration_Hours(jsii.Number(3)),
	})
	d.AddWidgets(
		s.graph("Records", nil, s.metric("IncomingRecords", "Sum"), s.metric("DeliveryToS3.Records", "Sum"), s.metric("ThrottledRecords", "Sum")),
		s.graph("Bytes", nil, s.metric("IncomingBytes", "Sum"), s.metric("DeliveryToS3.Bytes", "Sum")),
	)
	d.AddWidgets(
		s.graph("Share of quota (alarms at 80 %)", jsii.Number(80), s.byteShare(), s.recordShare(), s.putShare()),
		s.graph("Age of the oldest record in seconds", nil, s.metric("DeliveryToS3.DataFreshness", "Maximum")),
	)
	d.AddWidgets(
		s.graph("Successful puts into the bucket (1 is all)", nil, s.metric("DeliveryToS3.Success", "Average")),
		awscloudwatch.NewLogQueryWidget(&awscloudwatch.LogQueryWidgetProps{
			Title:         jsii.String("Delivery errors"),
			LogGroupNames: &[]*string{s.logGroup.Ref()},
			QueryLines:    jsii.Strings("fields @timestamp, errorCode, message", "sort @timestamp desc", "limit 20"),
			Width:         jsii.Number(12),
		}),
	)
	if len(s.partitions) > 0 {
		d.AddWidgets(s.graph("Active partitions", nil, s.metric("PartitionCount", "Maximum"), s.metric("ActivePartitionsLimit", "Maximum")))
	}
	return d.Node().DefaultChild().(awscloudwatch.CfnDashboard).Ref()
}

func (s *stack) graph(title string, line *float64, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	props := &awscloudwatch.GraphWidgetProps{Title: &title, Left: &metrics, Width: jsii.Number(12), LeftYAxis: &awscloudwatch.YAxisProps{Min: jsii.Number(0)}}
	if line != nil {
		props.LeftAnnotations = &[]*awscloudwatch.HorizontalAnnotation{{Value: line}}
	}
	return awscloudwatch.NewGraphWidget(props)
}
