package hydranttest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/hydranttest"
)

// TestLogs would be a test of yours: the service throttles the first attempt, and
// delivers after fifteen minutes that take no time.
func TestLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{IntervalSeconds: 900})
		fh.CreateStream("logs")
		fh.SetFaults(hydranttest.Script(hydranttest.RefuseAll()))

		if attempts := putLine(t, fh.Client(), "hello\n"); attempts != 2 {
			t.Errorf("%d attempts, want 2", attempts)
		}

		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if got := string(fh.Delivered("logs")); got != "hello\n" {
			t.Errorf("delivered %q", got)
		}
	})
}

// putLine stands for the program under test: it puts, and puts again what was
// refused.
func putLine(t *testing.T, client *firehose.Client, line string) (attempts int) {
	for {
		attempts++
		out, err := client.PutRecordBatch(t.Context(), &firehose.PutRecordBatchInput{
			DeliveryStreamName: aws.String("logs"),
			Records:            []types.Record{{Data: []byte(line)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if *out.FailedPutCount == 0 {
			return attempts
		}
		time.Sleep(time.Second)
	}
}

func Example() {
	// The go command runs TestLogs; this shows that it passes.
	all := func(_, _ string) (bool, error) { return true, nil }
	fmt.Println(testing.RunTests(all, []testing.InternalTest{{Name: "TestLogs", F: TestLogs}}))
	// Output: true
}
