package httpendpoint

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// python is an endpoint made with the standard library of Python. It prints its
// port, and what it got in each request.
const python = `
import base64, gzip, hashlib, http.server, json, sys

class Endpoint(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *args): pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        if self.headers['Content-Encoding'] == 'gzip':
            body = gzip.decompress(body)
        body = json.loads(body)
        records = [base64.b64decode(r['data'], validate=True) for r in body['records']]
        attributes = self.headers['X-Amz-Firehose-Common-Attributes']
        print(json.dumps({
            'key': self.headers['X-Amz-Firehose-Access-Key'],
            'attributes': json.loads(attributes)['commonAttributes'] if attributes else None,
            'count': len(records),
            'sha256': hashlib.sha256(b'|'.join(records)).hexdigest(),
        }), flush=True)
        answer = json.dumps({'requestId': body['requestId'], 'timestamp': body['timestamp']}).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

server = http.server.HTTPServer(('127.0.0.1', 0), Endpoint)
print(server.server_port, flush=True)
server.serve_forever()
`

// TestForeignReceiver: an endpoint that shares no code with us reads what was
// sent, and what it answers is an acknowledgement.
func TestForeignReceiver(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the programs of others")
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	cmd := exec.CommandContext(t.Context(), path, "-c", python)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the context has killed it
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("python3 printed no port")
	}
	url := "http://127.0.0.1:" + lines.Text()

	type seen struct {
		Key        *string
		Attributes map[string]string
		Count      int
		SHA256     string
	}
	key := "sécret"
	records := [][]byte{{}, []byte("line\n"), {0xff, 0, '"'}}
	for i := range 3000 {
		records = append(records, make([]byte, i))
	}
	sum := sha256.New()
	for i, r := range records {
		if i > 0 {
			sum.Write([]byte("|"))
		}
		sum.Write(r)
	}
	for _, gz := range []bool{false, true} {
		e := open(t, Config{URL: url, Gzip: gz, AccessKey: key, CommonAttributes: []Attribute{{"region", "Österreich 😀"}, {"empty", ""}}})
		if f := e.Deliver(t.Context(), records); f != nil {
			t.Fatalf("Deliver = %+v", f)
		}
		e.Close() // this server has one connection at a time
		if !lines.Scan() {
			t.Fatal("python3 printed nothing of a request")
		}
		var got seen
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		// Python reads headers as Latin-1, in which every byte is a character.
		latin := "s\u00c3\u00a9cret"
		want := seen{&latin, map[string]string{"region": "Österreich 😀", "empty": ""}, len(records), hex.EncodeToString(sum.Sum(nil))}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("gzip %v: %s", gz, diff)
		}
	}
}
