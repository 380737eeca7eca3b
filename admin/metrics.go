package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// MetricReader is the SDK's call that reads a metric.
type MetricReader interface {
	GetMetricStatistics(context.Context, *cloudwatch.GetMetricStatisticsInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricStatisticsOutput, error)
}

// MetricSum is the sum of a stream's metric, such as IncomingRecords, over
// [from, to). Both are widened to whole periods: a minute for the last 15 days,
// five for the last 63, an hour before, as CloudWatch keeps them no finer. A
// call returns at most 1,440 datapoints, so a long time takes several. Nothing is
// kept past 455 days. AWS publishes a minute's figures a minute or more after its
// end.
func MetricSum(ctx context.Context, c MetricReader, stream, metric string, from, to time.Time) (float64, error) {
	if oldest := time.Now().Add(-455 * day); from.Before(oldest) {
		from = oldest // not a call for every 60 days since the year 1
	}
	period := periodFor(time.Since(from))
	var sum float64
	for start := from.Truncate(period); start.Before(to); {
		end := start.Add(1440 * period)
		if whole := to.Add(period - 1).Truncate(period); whole.Before(end) {
			end = whole
		}
		out, err := c.GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("AWS/Firehose"), MetricName: &metric,
			Dimensions: []types.Dimension{{Name: aws.String("DeliveryStreamName"), Value: &stream}},
			StartTime:  aws.Time(start), EndTime: aws.Time(end), Period: aws.Int32(int32(period / time.Second)),
			Statistics: []types.Statistic{types.StatisticSum},
		})
		if err != nil {
			return 0, fmt.Errorf("read metric %s of %s: %w", metric, stream, err)
		}
		for _, p := range out.Datapoints {
			sum += aws.ToFloat64(p.Sum)
		}
		start = end
	}
	return sum, nil
}

const day = 24 * time.Hour

// periodFor is the finest period of metrics that begin so long ago. Both bounds
// are an hour early, for AWS goes by its own clock and refuses a finer one.
func periodFor(age time.Duration) time.Duration {
	switch {
	case age > 63*day-time.Hour:
		return time.Hour
	case age > 15*day-time.Hour:
		return 5 * time.Minute
	}
	return time.Minute
}
