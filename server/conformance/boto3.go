package conformance

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNoBoto3 is what [Run] returns for [Boto3] where there is none.
var ErrNoBoto3 = errors.New("python3 with boto3 is not on this machine: python3 -m pip install boto3")

//go:embed boto3_driver.py
var boto3Driver string

// boto3SDK is the client by boto3: a python3 that reads calls and writes answers,
// each of them JSON in a line.
type boto3SDK struct {
	in     io.Writer
	out    *bufio.Reader
	stderr *bytes.Buffer
	// end closes in and waits for the process. Before, stderr is the process's.
	end func() error
}

// boto3Call is a line to the driver.
type boto3Call struct {
	Do   string         `json:"do"`
	With map[string]any `json:"with"`
}

// boto3Answer is a line from the driver.
type boto3Answer struct {
	Missing string          `json:"missing"` // why there is no boto3
	Error   string          `json:"error"`   // of the driver or boto3, not the service
	Status  int             `json:"status"`
	Body    []byte          `json:"body"`
	Output  json.RawMessage `json:"output"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Objects []stored        `json:"objects"`
}

func openBoto3(ctx context.Context, e Endpoint) (*boto3SDK, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return nil, ErrNoBoto3
	}
	c := &boto3SDK{stderr: &bytes.Buffer{}}
	cmd := exec.CommandContext(ctx, python, "-c", boto3Driver)
	cmd.Env, cmd.Stderr, cmd.WaitDelay = boto3Env(os.Environ()), c.stderr, 5*time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start boto3: %w", err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	c.end = sync.OnceValue(func() error { return errors.Join(in.Close(), cmd.Wait()) })
	hello, err := c.ask(map[string]string{"url": e.URL, "key": e.Key, "secret": e.Secret, "region": region})
	if err == nil && hello.Missing != "" {
		err = fmt.Errorf("%w (%s)", ErrNoBoto3, hello.Missing)
	}
	if err != nil {
		_ = c.end() // what came before says more
		return nil, err
	}
	return c, nil
}

// boto3Env is env without AWS's settings. There is never a proxy to this machine,
// which is so for Go without a word.
func boto3Env(env []string) []string {
	clean, direct := []string{"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}, "localhost,127.0.0.1,::1"
	for _, each := range env {
		name, value, _ := strings.Cut(each, "=")
		switch name = strings.ToUpper(name); {
		case strings.HasPrefix(name, "AWS_"):
		case name == "NO_PROXY":
			direct += "," + value
		default:
			clean = append(clean, each)
		}
	}
	return append(clean, "no_proxy="+direct)
}

// ask sends a line, and returns the answer to it.
func (c *boto3SDK) ask(line any) (a boto3Answer, err error) {
	text, err := json.Marshal(line)
	if err != nil {
		return a, fmt.Errorf("the case's input: %w", err)
	}
	if _, err = c.in.Write(append(text, '\n')); err == nil {
		text, err = c.out.ReadBytes('\n')
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(errors.Join(c.end(), err).Error()+"\n"+c.stderr.String()), "\n")
		return a, fmt.Errorf("boto3 has ended: %s", lines[len(lines)-1])
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("the driver of boto3: %w", err)
	}
	if a.Error != "" {
		err = errors.New(a.Error)
	}
	return a, err
}

func (c *boto3SDK) call(_ context.Context, op, in, sign string) (answer, error) {
	got, err := c.ask(boto3Call{"call", map[string]any{"op": op, "given": json.RawMessage(in), "sign": sign}})
	a := answer{got.Status, got.Body, got.Output, got.Code, got.Message}
	switch {
	case err == nil && a.status == 0:
		err = errors.New("boto3 has sent nothing")
	// It takes what is no JSON for an output without members, or for the message of
	// an error whose code is the status.
	case err == nil && (len(a.body) > 0 && !json.Valid(a.body) || a.code == strconv.Itoa(a.status)):
		err = errors.New("boto3 has read nothing")
	}
	return a, err
}

func (c *boto3SDK) makeBucket(_ context.Context, name string) error {
	_, err := c.askS3("make_bucket", name)
	return err
}

func (c *boto3SDK) objects(_ context.Context, bucket string) ([]stored, error) {
	return c.askS3("objects", bucket)
}

func (c *boto3SDK) askS3(do, bucket string) ([]stored, error) {
	got, err := c.ask(boto3Call{do, map[string]any{"bucket": bucket}})
	if err == nil && got.Code != "" {
		err = fmt.Errorf("%s: %s", got.Code, got.Message)
	}
	return got.Objects, err
}

func (c *boto3SDK) close() error { return c.end() }
