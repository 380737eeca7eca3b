package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

//go:embed boto3_loop.py
var boto3Loop string

// rivals are the senders of others that this machine has. Vector is not among
// them: it was never at hand to try its configuration.
func rivals() (list []contestant) {
	if exec.Command("python3", "-c", "import boto3").Run() == nil {
		list = append(list, contestant{"boto3 put_record_batch", 60e3, boto3})
	}
	list = append(list,
		contestant{"hydrant send (file)", 1.5e6, sendFile()},
		contestant{"hydrant send --no-pack (file)", 1.2e6, sendFile("--no-pack")})
	if path, err := exec.LookPath("fluent-bit"); err == nil {
		list = append(list,
			contestant{"fluent-bit (file)", 0.4e6, fluentBit(path, false)},
			contestant{"fluent-bit aggregating (file)", 0.6e6, fluentBit(path, true)})
	}
	if path, err := exec.LookPath("redpanda-connect"); err == nil {
		list = append(list, contestant{"redpanda-connect (file)", 50e3, redpanda(path)})
	}
	return list
}

func boto3(_ *bench, _ string, j job) (result, error) {
	work, _ := json.Marshal(j)
	return reported(pinned(false, "python3", "-c", boto3Loop, string(work)))
}

// fromFile runs a command that reads a job's records from a file, as lines of
// JSON, and ends with it. command gets the names of the file and of a folder.
func (b *bench) fromFile(j job, command func(file, dir string) *exec.Cmd) (r result, err error) {
	dir, err := os.MkdirTemp(b.dir, "bench")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "records.ndjson")
	if err := writeLines(file, j); err != nil {
		return r, err
	}
	cmd := command(file, dir)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if len(v) < 4 || v[:4] != "AWS_" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_FIREHOSE="+j.Endpoint)
	if j.Cert != "" {
		cmd.Env = append(cmd.Env, "AWS_CA_BUNDLE="+j.Cert, "SSL_CERT_FILE="+j.Cert)
	}
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return r, fmt.Errorf("%w\n%s", err, out)
	}
	use := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return result{CPU: cpuOf(use), Elapsed: time.Since(start).Seconds(), PeakRSS: use.Maxrss << 10}, nil
}

func writeLines(file string, j job) error {
	line := record(j.Size)
	copy(line, `{"t":"`)
	for i := 6; i < len(line); i++ { // letters and digits, which JSON need not escape
		line[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[i*7%36]
	}
	copy(line[len(line)-3:], "\"}\n")
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var block []byte
	for n := j.Records; n > 0; {
		block = block[:0]
		for ; n > 0 && len(block) < 1<<20; n-- {
			block = append(block, line...)
		}
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return nil
}

// buildHydrant builds the program, which the caller removes.
func buildHydrant() (path string, err error) {
	path = filepath.Join(os.TempDir(), fmt.Sprintf("bench-hydrant-%d", os.Getpid()))
	build := exec.Command("go", "build", "-o", path, "./cmd/hydrant")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

func sendFile(flags ...string) func(*bench, string, job) (result, error) {
	return func(b *bench, _ string, j job) (result, error) {
		hydrant, err := buildHydrant()
		if err != nil {
			return result{}, err
		}
		defer os.Remove(hydrant)
		return b.fromFile(j, func(file, _ string) *exec.Cmd {
			return pinned(false, hydrant, append([]string{"send", "bench", file}, flags...)...)
		})
	}
}

// fluentBit takes lines as they are, and packs them if told so. It speaks TLS
// only, and trusts no certificate that the system does not.
func fluentBit(path string, aggregate bool) func(*bench, string, job) (result, error) {
	return func(b *bench, _ string, j job) (result, error) {
		if j.Cert == "" || b.cert == "" {
			return result{}, errNotHere
		}
		var port int
		if _, err := fmt.Sscanf(j.Endpoint, "https://127.0.0.1:%d", &port); err != nil {
			return result{}, err
		}
		return b.fromFile(j, func(file, dir string) *exec.Cmd {
			return pinned(false, path, "-q", "-f", "1",
				"-i", "tail", "-p", "path="+file, "-p", "read_from_head=true", "-p", "exit_on_eof=true", "-p", "buffer_max_size=1M", "-p", "mem_buf_limit=200M",
				"-o", "kinesis_firehose", "-m", "*", "-p", "region=us-east-1", "-p", "delivery_stream=bench", "-p", "log_key=log",
				"-p", "endpoint=127.0.0.1", "-p", fmt.Sprintf("port=%d", port), "-p", fmt.Sprintf("simple_aggregation=%v", aggregate))
		})
	}
}

func redpanda(path string) func(*bench, string, job) (result, error) {
	return func(b *bench, _ string, j job) (result, error) {
		return b.fromFile(j, func(file, dir string) *exec.Cmd {
			config := filepath.Join(dir, "connect.yaml")
			_ = os.WriteFile(config, fmt.Appendf(nil, `
http: {enabled: false}
logger: {level: ERROR}
input:
  file: {paths: [%q], scanner: {lines: {}}}
output:
  aws_kinesis_firehose:
    stream: bench
    region: us-east-1
    endpoint: %q
    credentials: {id: AKIDEXAMPLE, secret: secret}
    batching: {count: 500, period: 1s}
`, file, j.Endpoint), 0o600)
			return pinned(false, path, "run", config)
		})
	}
}
