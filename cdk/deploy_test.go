package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cdkCLI is the CDK CLI of package.json.
func cdkCLI(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the CDK CLI takes seconds")
	}
	name := "cdk"
	if runtime.GOOS == "windows" {
		name = "cdk.cmd"
	}
	path, err := filepath.Abs(filepath.Join("node_modules", ".bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Skipf("SKIPPED, the CDK CLI is not tested: %v (run 'npm ci' in cdk)", err)
	}
	return path
}

// startMoto starts moto, and gives the environment that sends the CDK CLI and the AWS
// CLI there.
func startMoto(t *testing.T) (env []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "moto_server", "-H", "127.0.0.1", "-p", port)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		cancel()
		t.Skipf("SKIPPED, nothing is deployed to moto: %v (pip install 'moto[server,all]')", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-exited
		if t.Failed() {
			t.Logf("moto:\n%s", log.String())
		}
	})
	for tick := time.Tick(50 * time.Millisecond); ; <-tick {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		select {
		case err := <-exited:
			exited <- err
			t.Skipf("SKIPPED, nothing is deployed to moto: moto_server ended: %v", err)
		case <-t.Context().Done():
			t.Fatal("moto does not answer")
		default:
		}
	}
	env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(env, "AWS_ENDPOINT_URL=http://"+address, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_CONFIG_FILE="+os.DevNull, "CI=true", "NODE_NO_WARNINGS=1")
}

// tool runs a command to its end.
func tool(t *testing.T, env []string, name string, args ...string) (stdout string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// app is what the CDK CLI runs: this test, which is the app in that environment.
func app(t *testing.T) []string { return []string{"--app", os.Args[0], "--output", t.TempDir()} }

// TestDeployToMoto has the CDK CLI create and delete the stack on moto's CloudFormation,
// which makes the bucket, log group, role, policy and dashboard, and knows nothing of the
// delivery stream, the log stream and the alarms. An update is not for moto 5.2.1: it
// refuses to delete the change set that is not there, as the CLI does and AWS allows, and
// its UpdateStack breaks on parameters that were left at their defaults.
func TestDeployToMoto(t *testing.T) {
	t.Parallel()
	cdk, env := cdkCLI(t), startMoto(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := tool(t, env, cdk, append(args, app(t)...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	run("deploy", "--require-approval", "never")
	wantStack(t, env, "CREATE_COMPLETE")
	if got := awsCLI(t, env, "s3api", "list-buckets", "--query", "length(Buckets)"); got != "1" {
		t.Errorf("%s buckets", got)
	}
	run("destroy", "--force")
	for _, left := range [][]string{
		{"cloudformation", "describe-stacks", "--query", "length(Stacks)"},
		{"s3api", "list-buckets", "--query", "length(Buckets)"},
		{"logs", "describe-log-groups", "--query", "length(logGroups)"},
	} {
		if got := awsCLI(t, env, left...); got != "0" {
			t.Errorf("%s are left: %s", left, got)
		}
	}
}

// TestContextToMoto has context values of the command line.
func TestContextToMoto(t *testing.T) {
	t.Parallel()
	cdk, env := cdkCLI(t), startMoto(t)
	args := append([]string{
		"deploy", "--require-approval", "never", "--context", "kms=create", "--context", "logRetentionDays=7",
		"--context", `dynamicPartitioning={"customer": ".customer_id"}`,
	}, app(t)...)
	if _, err := tool(t, env, cdk, args...); err != nil {
		t.Fatal(err)
	}
	wantStack(t, env, "CREATE_COMPLETE")
	if got := awsCLI(t, env, "logs", "describe-log-groups", "--query", "logGroups[].retentionInDays", "--output", "text"); got != "7" {
		t.Errorf("logs are kept for %s days", got)
	}
}

// TestCommittedToMoto has the AWS CLI deploy the committed template, and change a parameter.
func TestCommittedToMoto(t *testing.T) {
	if testing.Short() {
		t.Skip("moto takes a second to start")
	}
	t.Parallel()
	env := startMoto(t)
	deploy := func(parameters ...string) {
		t.Helper()
		awsCLI(t, env, append([]string{
			"cloudformation", "deploy", "--stack-name", "hydrant", "--template-file", committed,
			"--capabilities", "CAPABILITY_IAM", "--parameter-overrides",
		}, parameters...)...)
	}
	deploy("BufferIntervalSeconds=60", "ObjectExpirationDays=3")
	wantStack(t, env, "CREATE_COMPLETE")
	deploy("LogRetentionDays=7")
	wantStack(t, env, "UPDATE_COMPLETE")
	got := awsCLI(t, env, "cloudformation", "describe-stacks", "--stack-name", "hydrant", "--output", "text",
		"--query", "Stacks[0].Parameters[?ParameterKey=='BufferIntervalSeconds'||ParameterKey=='LogRetentionDays'].ParameterValue")
	if got != "60\t7" {
		t.Errorf("parameters %q", got)
	}
}

func wantStack(t *testing.T, env []string, status string) {
	t.Helper()
	if got := awsCLI(t, env, "cloudformation", "describe-stacks", "--query", "Stacks[].StackStatus", "--output", "text"); got != status {
		t.Fatalf("the stack is %q, want %s", got, status)
	}
}

func awsCLI(t *testing.T, env []string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skipf("SKIPPED, nothing is deployed to moto: %v (pip install awscli)", err)
	}
	out, err := tool(t, env, "aws", args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// TestCLI has the CDK CLI, by cdk.json, make the committed template, which it sends as YAML:
// over 51,200 bytes it would want a bucket of cdk bootstrap.
func TestCLI(t *testing.T) {
	t.Parallel()
	cdk, folder := cdkCLI(t), t.TempDir()
	yaml, err := tool(t, os.Environ(), cdk, "synth", "--output", folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(yaml) < 10000 || len(yaml) > 51200 {
		t.Errorf("the template has %d bytes as YAML", len(yaml))
	}
	got, err := os.ReadFile(filepath.Join(folder, "hydrant.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	wantNoBootstrap(t, filepath.Join(folder, "manifest.json"))
}

// wantNoBootstrap has a stack that is deployed by the caller's own rights: no role, bucket or
// parameter that only cdk bootstrap makes.
func wantNoBootstrap(t *testing.T, manifest string) {
	t.Helper()
	b, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Artifacts map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	stacks := 0
	for name, a := range m.Artifacts {
		switch a.Type {
		case "aws:cloudformation:stack":
			stacks++
			for key := range a.Properties {
				switch key {
				case "templateFile", "terminationProtection", "validateOnSynth":
				default:
					t.Errorf("%s has %s", name, key)
				}
			}
		case "cdk:asset-manifest":
			t.Errorf("%s has assets", name)
		}
	}
	if stacks != 1 {
		t.Errorf("%d stacks", stacks)
	}
}

// TestLint has cfn-lint look at every variant, which knows CloudFormation's own schema of
// each resource.
func TestLint(t *testing.T) {
	if testing.Short() {
		t.Skip("cfn-lint takes seconds")
	}
	t.Parallel()
	if _, err := exec.LookPath("cfn-lint"); err != nil {
		t.Skipf("SKIPPED, templates are not linted: %v (pip install cfn-lint)", err)
	}
	folder := t.TempDir()
	args := []string{"--include-experimental", "--template"}
	for name := range variants {
		path := filepath.Join(folder, name+".json")
		if err := os.WriteFile(path, synthesise(t, name), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	if _, err := tool(t, os.Environ(), "cfn-lint", args...); err != nil {
		t.Error(err)
	}
}

// TestEmptyBucket runs emptybucket.py against moto's S3.
func TestEmptyBucket(t *testing.T) {
	if testing.Short() {
		t.Skip("moto takes seconds")
	}
	t.Parallel()
	_, err := tool(t, os.Environ(), "python3", filepath.Join("testdata", "emptybucket_test.py"))
	if exit, ok := errors.AsType[*exec.ExitError](err); errors.Is(err, exec.ErrNotFound) || ok && exit.ExitCode() == 75 {
		t.Skipf("SKIPPED, emptybucket.py is not tested: %v (pip install 'moto[server,s3]' boto3)", err)
	}
	if err != nil {
		t.Error(err)
	}
}
