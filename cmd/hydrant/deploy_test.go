package main

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hydrant-go/hydrant/internal/testkit"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// An interrupt leaves CloudFormation at work and says how to go on; the same command
// joins what is under way, for deploy and for destroy.
func TestInterruptDeploy(t *testing.T) {
	backend, err := local.New(local.Config{Dir: t.TempDir(), StateDelay: 2 * time.Second}) // of the stream, coming and going
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(backend.Handler(server.Config{Credentials: map[string]string{localAccessKey: localSecretKey}}))
	t.Cleanup(func() {
		srv.Close()
		if err := backend.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	env := []string{"AWS_ENDPOINT_URL=" + srv.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + localAccessKey, "AWS_SECRET_ACCESS_KEY=" + localSecretKey}
	for _, tc := range []struct {
		args           []string
		at             string // in stderr, when the interrupt comes
		hint           string
		joined, result string
	}{
		{[]string{"deploy"}, "CREATE_IN_PROGRESS  AWS::KinesisFirehose::DeliveryStream", "the same command waits for it; hydrant destroy --stack hydrant takes it back", "is CREATE_IN_PROGRESS: waiting for that first", "hydrant, created"},
		{[]string{"destroy", "--yes"}, "DELETE_IN_PROGRESS  AWS::KinesisFirehose::DeliveryStream", "the same command goes on", "is being deleted already", "deleted stack hydrant"},
	} {
		var stderr testkit.Buffer
		cmd := command(t, env, tc.args...)
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return strings.Contains(stderr.String(), tc.at) })
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		code := exitCode(cmd.Wait())
		want := "hydrant: interrupted; what CloudFormation has begun goes on without us\nhint: " + tc.hint + "\n"
		if code != 130 || !strings.HasSuffix(stderr.String(), want) {
			t.Fatalf("%s: exit code %d\n%s\nwant at the end\n%s", tc.args, code, stderr.String(), want)
		}
		out, err := command(t, env, tc.args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), tc.joined) || !strings.Contains(string(out), tc.result) {
			t.Errorf("%s again: %v\n%s", tc.args, err, out)
		}
	}
}
