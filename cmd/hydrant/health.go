package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) health() *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use:   "health [ADDR]",
		Short: "Ask a running hydrant with --metrics-addr ADDR whether it is well",
		Long: `Ask a running hydrant whether it is well, at the address of its --metrics-addr (by
default $HYDRANT_METRICS_ADDR, or 127.0.0.1:9464): whether it answers at all, or, with
--ready, whether records get through. For the health checks of containers, which have
no other HTTP client.

Exit codes: 0 it is, 1 it is not.`,
		Example: `  hydrant health
  hydrant health --ready 127.0.0.1:9464`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			addr := cmp.Or(strings.Join(args, ""), os.Getenv(metricsAddrEnv), "127.0.0.1:9464")
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			return a.runHealth(cmd.Context(), "http://"+addr+path)
		},
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether records get through")
	return cmd
}

func (a *app) runHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return usageError("%w\nhint: the address is a host and a port, as in 127.0.0.1:9464", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w\nhint: the process must run with --metrics-addr", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, text)
	}
	fmt.Fprintf(a.stdout, "%s", text)
	return nil
}
