package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/convert"
	"github.com/hydrant-go/hydrant/local/process"
	"github.com/hydrant-go/hydrant/server"
)

// Local starts a local Firehose at a port of this machine, which delivers into dir
// and has what the cases need beside it: a Lambda function and a Glue table. stop
// ends it; it must be called.
func Local(dir string) (e Endpoint, stop func(context.Context) error, err error) {
	function, stopFunction, err := listen(http.HandlerFunc(lambda))
	if err != nil {
		return Endpoint{}, nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	backend, err := local.New(local.Config{
		Dir: dir, Lambda: process.LambdaConfig{Endpoint: function}, Logger: quiet,
		Tables: map[string][]convert.Column{"db.t": {{Name: "id", Type: "bigint"}}},
	})
	if err != nil {
		return Endpoint{}, nil, errors.Join(err, stopFunction())
	}
	e = Endpoint{Key: "AKIAIOSFODNN7EXAMPLE", Secret: "secret"}
	var stopServer func() error
	e.URL, stopServer, err = listen(backend.Handler(server.Config{
		Account: "123456789012", Credentials: map[string]string{e.Key: e.Secret}, Logger: quiet,
	}))
	if err != nil {
		return Endpoint{}, nil, errors.Join(err, backend.Close(context.Background()), stopFunction())
	}
	e.Flush = Flush(e.URL)
	return e, func(ctx context.Context) error {
		return errors.Join(stopServer(), backend.Close(ctx), stopFunction())
	}, nil
}

// Flush is what an [Endpoint] has for a local Firehose at url: its own call to
// deliver what is buffered.
func Flush(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/_hydrant/flush", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("flush: %s", resp.Status)
		}
		return errors.Join(err, resp.Body.Close())
	}
}

// listen serves h until stop, which waits for the end.
func listen(h http.Handler) (url string, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h}
	var served sync.WaitGroup
	served.Go(func() { _ = srv.Serve(l) }) // it ends with ErrServerClosed
	return "http://" + l.Addr().String(), func() error {
		err := srv.Close()
		served.Wait()
		return err
	}, nil
}

// lambda is Lambda's Invoke with one function, which fails every record.
func lambda(w http.ResponseWriter, r *http.Request) {
	type record struct {
		RecordID string `json:"recordId"`
		Result   string `json:"result"`
		Data     string `json:"data"`
	}
	var in, out struct {
		Records []record `json:"records"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, each := range in.Records {
		out.Records = append(out.Records, record{each.RecordID, "ProcessingFailed", each.Data})
	}
	_ = json.NewEncoder(w).Encode(out)
}
