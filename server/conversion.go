package server

import "math"

// Conversion turns records that are JSON into Parquet or ORC. Its members, and
// theirs, have the names that the API gives them; what was not set is zero, as AWS
// was seen to describe no default of them.
type Conversion struct {
	Enabled                   bool
	SchemaConfiguration       *SchemaConfiguration       `json:",omitempty"`
	InputFormatConfiguration  *InputFormatConfiguration  `json:",omitempty"`
	OutputFormatConfiguration *OutputFormatConfiguration `json:",omitempty"`
}

// SchemaConfiguration names the table in AWS Glue that has the columns. If the
// conversion is enabled it has a role, a database and a table.
type SchemaConfiguration struct {
	RoleARN      string `json:",omitempty"`
	CatalogId    string `json:",omitempty"` // default: the account
	DatabaseName string `json:",omitempty"`
	TableName    string `json:",omitempty"`
	Region       string `json:",omitempty"` // default: the stream's
	VersionId    string `json:",omitempty"` // default: LATEST
}

// InputFormatConfiguration says how JSON is read.
type InputFormatConfiguration struct {
	Deserializer *Deserializer `json:",omitempty"`
}

// Deserializer has exactly one member if the conversion is enabled.
type Deserializer struct {
	OpenXJsonSerDe *OpenXJsonSerDe `json:",omitempty"`
	HiveJsonSerDe  *HiveJsonSerDe  `json:",omitempty"`
}

type OpenXJsonSerDe struct {
	ConvertDotsInJsonKeysToUnderscores *bool             `json:",omitempty"` // default false
	CaseInsensitive                    *bool             `json:",omitempty"` // default true
	ColumnToJsonKeyMappings            map[string]string `json:",omitempty"`
}

type HiveJsonSerDe struct {
	TimestampFormats []string `json:",omitempty"`
}

// OutputFormatConfiguration says what is written.
type OutputFormatConfiguration struct {
	Serializer *Serializer `json:",omitempty"`
}

// Serializer has exactly one member if the conversion is enabled.
type Serializer struct {
	ParquetSerDe *ParquetSerDe `json:",omitempty"`
	OrcSerDe     *OrcSerDe     `json:",omitempty"`
}

type ParquetSerDe struct {
	BlockSizeBytes              *int   `json:",omitempty"` // from 64 MiB; default 256 MiB
	PageSizeBytes               *int   `json:",omitempty"` // from 64 KiB; default 1 MiB
	Compression                 string `json:",omitempty"` // UNCOMPRESSED, GZIP or SNAPPY (the default)
	EnableDictionaryCompression *bool  `json:",omitempty"`
	MaxPaddingBytes             *int   `json:",omitempty"` // default 0
	WriterVersion               string `json:",omitempty"` // V1 (the default) or V2
}

type OrcSerDe struct {
	StripeSizeBytes                     *int     `json:",omitempty"` // from 8 MiB; default 64 MiB
	BlockSizeBytes                      *int     `json:",omitempty"` // from 64 MiB; default 256 MiB
	RowIndexStride                      *int     `json:",omitempty"` // from 1,000; default 10,000
	EnablePadding                       *bool    `json:",omitempty"` // default false
	PaddingTolerance                    *float64 `json:",omitempty"` // 0 to 1; default 0.05
	Compression                         string   `json:",omitempty"` // NONE, ZLIB or SNAPPY (the default)
	BloomFilterColumns                  []string `json:",omitempty"`
	BloomFilterFalsePositiveProbability *float64 `json:",omitempty"` // 0 to 1; default 0.05
	DictionaryKeyThreshold              *float64 `json:",omitempty"` // 0 to 1
	FormatVersion                       string   `json:",omitempty"` // V0_11 or V0_12 (the default)
}

// conversion takes a DataFormatConversionConfiguration. AWS was seen to merge its
// members, and those of the schema. A deserializer or serializer replaces the one
// before: how AWS merges those is not known.
func (o *object) conversion(c **Conversion) {
	o.within("DataFormatConversionConfiguration", func(o *object) {
		d := own(*c, Conversion{Enabled: true}) // on where nothing is said (API reference)
		*c = d
		set(&d.Enabled, o.flag("Enabled"))
		o.within("OutputFormatConfiguration", func(o *object) {
			d.OutputFormatConfiguration = own(d.OutputFormatConfiguration, OutputFormatConfiguration{})
			o.within("Serializer", func(o *object) { d.OutputFormatConfiguration.Serializer = o.serializer() })
		})
		o.within("InputFormatConfiguration", func(o *object) {
			d.InputFormatConfiguration = own(d.InputFormatConfiguration, InputFormatConfiguration{})
			o.within("Deserializer", func(o *object) { d.InputFormatConfiguration.Deserializer = o.deserializer() })
		})
		o.within("SchemaConfiguration", func(o *object) {
			d.SchemaConfiguration = own(d.SchemaConfiguration, SchemaConfiguration{})
			o.schema(d.SchemaConfiguration)
		})
	})
}

func (o *object) schema(s *SchemaConfiguration) {
	set(&s.VersionId, o.limited("VersionId", unspaced))
	set(&s.CatalogId, o.limited("CatalogId", unspaced))
	set(&s.DatabaseName, o.limited("DatabaseName", unspaced))
	set(&s.RoleARN, o.limited("RoleARN", unspaced))
	set(&s.Region, o.limited("Region", unspaced))
	set(&s.TableName, o.limited("TableName", unspaced))
}

func (o *object) deserializer() *Deserializer {
	d := &Deserializer{}
	o.within("OpenXJsonSerDe", func(o *object) {
		d.OpenXJsonSerDe = &OpenXJsonSerDe{
			ConvertDotsInJsonKeysToUnderscores: o.flag("ConvertDotsInJsonKeysToUnderscores"),
			CaseInsensitive:                    o.flag("CaseInsensitive"),
			ColumnToJsonKeyMappings:            o.texts("ColumnToJsonKeyMappings", unspaced, filled),
		}
	})
	o.within("HiveJsonSerDe", func(o *object) {
		d.HiveJsonSerDe = &HiveJsonSerDe{TimestampFormats: o.list("TimestampFormats", 0, 0, filled)}
	})
	return d
}

func (o *object) serializer() *Serializer {
	s := &Serializer{}
	o.within("ParquetSerDe", func(o *object) {
		s.ParquetSerDe = &ParquetSerDe{
			MaxPaddingBytes:             o.between("MaxPaddingBytes", 0, math.MaxInt),
			BlockSizeBytes:              o.between("BlockSizeBytes", 64<<20, math.MaxInt),
			PageSizeBytes:               o.between("PageSizeBytes", 64<<10, math.MaxInt),
			Compression:                 deref(o.oneOf("Compression", "SNAPPY", "GZIP", "UNCOMPRESSED"), ""),
			WriterVersion:               deref(o.oneOf("WriterVersion", "V1", "V2"), ""),
			EnableDictionaryCompression: o.flag("EnableDictionaryCompression"),
		}
	})
	o.within("OrcSerDe", func(o *object) {
		s.OrcSerDe = &OrcSerDe{
			DictionaryKeyThreshold:              o.proportion("DictionaryKeyThreshold"),
			BlockSizeBytes:                      o.between("BlockSizeBytes", 64<<20, math.MaxInt),
			RowIndexStride:                      o.between("RowIndexStride", 1000, math.MaxInt),
			PaddingTolerance:                    o.proportion("PaddingTolerance"),
			StripeSizeBytes:                     o.between("StripeSizeBytes", 8<<20, math.MaxInt),
			Compression:                         deref(o.oneOf("Compression", "ZLIB", "SNAPPY", "NONE"), ""),
			FormatVersion:                       deref(o.oneOf("FormatVersion", "V0_11", "V0_12"), ""),
			BloomFilterFalsePositiveProbability: o.proportion("BloomFilterFalsePositiveProbability"),
			EnablePadding:                       o.flag("EnablePadding"),
			BloomFilterColumns:                  o.list("BloomFilterColumns", 0, 0, unspaced),
		}
	})
	return s
}

// checkConversion tells what a conversion that is enabled lacks, in AWS's order.
func (d *S3Destination) checkConversion() error {
	switch c := d.Conversion; {
	case d.CompressionFormat != "UNCOMPRESSED":
		return invalid("The S3 destination's compression format must be set to UNCOMPRESSED when data format conversion is enabled. " +
			"To enable compression within the converted output format, set the appropriate serialization option in the output format configuration.")
	case d.SizeInMBs < 64:
		return invalid("BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.")
	case c.InputFormatConfiguration == nil:
		return invalid("InputFormatConfiguration must not be null")
	case c.OutputFormatConfiguration == nil:
		return invalid("OutputFormatConfiguration must not be null")
	case c.SchemaConfiguration == nil:
		return invalid("SchemaConfiguration must not be null")
	default:
		return c.checkMembers()
	}
}

func (c *Conversion) checkMembers() error {
	in, out := c.InputFormatConfiguration.Deserializer, c.OutputFormatConfiguration.Serializer
	switch s := c.SchemaConfiguration; {
	case in == nil || in.OpenXJsonSerDe == nil && in.HiveJsonSerDe == nil:
		return invalid("Deserializer must not be null")
	case in.OpenXJsonSerDe != nil && in.HiveJsonSerDe != nil:
		return invalid("More than one deserializer specified. Only one may be chosen.")
	case out == nil || out.ParquetSerDe == nil && out.OrcSerDe == nil:
		return invalid("Serializer must not be null")
	case out.ParquetSerDe != nil && out.OrcSerDe != nil:
		return invalid("More than one serializer specified. Only one may be chosen.")
	case s.RoleARN == "":
		return invalid("SchemaConfiguration.RoleArn must not be null or empty")
	case s.DatabaseName == "":
		return invalid("SchemaConfiguration.DatabaseName must not be null or empty")
	case s.TableName == "":
		return invalid("SchemaConfiguration.TableName must not be null or empty")
	}
	return nil
}
