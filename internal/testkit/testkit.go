// Package testkit is what the tests of several rooms share.
package testkit

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// Buffer is a buffer that goroutines, or a process, write while others read it.
type Buffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is what has been written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

const motoServer = `
import sys
try:
    from moto.server import ThreadedMotoServer
except ImportError:
    sys.exit(77)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
`

// Moto starts moto, whose one process has all of AWS's services in memory, and returns its
// URL. It takes a second or more, and ends with the test, which is skipped by name where
// moto is missing.
func Moto(t *testing.T) (url string) {
	t.Helper()
	const missing = "SKIPPED, moto is not installed: python3 -m pip install 'moto[server,s3,cloudformation]'"
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(missing)
	}
	cmd := exec.Command(path, "-c", motoServer)
	cmd.Env = append(os.Environ(), "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE=67108864")
	in, err := cmd.StdinPipe() // its end is the server's
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 77 {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Skip(missing)
	}
	return strings.TrimSpace(line)
}
