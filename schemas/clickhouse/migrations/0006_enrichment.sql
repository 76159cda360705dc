{{define "columns"}}
    ADD COLUMN IF NOT EXISTS channel_group LowCardinality(String) COMMENT 'Why the customer came: Organic Search, Paid Social, Email, Store...; empty: nothing says',
    ADD COLUMN IF NOT EXISTS referrer_host LowCardinality(String) COMMENT 'Host of the referrer, without www.',
    ADD COLUMN IF NOT EXISTS referrer_class LowCardinality(String) COMMENT 'search, social, video, shopping, email, chatbot, paid, internal or unknown; empty without a referrer',
    ADD COLUMN IF NOT EXISTS click_id_kind LowCardinality(String) COMMENT 'Parameter of the page''s address: gclid, msclkid, fbclid...; empty: none',
    ADD COLUMN IF NOT EXISTS click_id String COMMENT 'Its value',
    ADD COLUMN IF NOT EXISTS campaign_id LowCardinality(String) COMMENT 'utm_id',
    ADD COLUMN IF NOT EXISTS browser LowCardinality(String) COMMENT 'By the user agent, empty if it names none',
    ADD COLUMN IF NOT EXISTS browser_version LowCardinality(String) COMMENT 'First number of the version',
    ADD COLUMN IF NOT EXISTS os LowCardinality(String) COMMENT 'Operating system by the user agent, empty if it names none',
    ADD COLUMN IF NOT EXISTS os_version LowCardinality(String) COMMENT 'First number of the version',
    ADD COLUMN IF NOT EXISTS country LowCardinality(String) COMMENT 'ISO 3166 code by the truncated address; empty without a database of places',
    ADD COLUMN IF NOT EXISTS region LowCardinality(String) COMMENT 'Likewise, in English',
    ADD COLUMN IF NOT EXISTS city LowCardinality(String) COMMENT 'Likewise, in English'{{end -}}
-- Rows from before have what a new column has by default: nothing is known of why
-- the customer came, of browsers and of places. A rebuild writes them anew.
--
-- The tables of a rebuild that is not complete (0005) are altered alike.
ALTER TABLE {{.DB}}.touchpoints{{template "columns"}};
ALTER TABLE {{.DB}}_next.touchpoints{{template "columns"}};
ALTER TABLE {{.DB}}.late{{template "columns"}};
ALTER TABLE {{.DB}}_next.late{{template "columns"}};

ALTER TABLE {{.DB}}.sessions
    ADD COLUMN IF NOT EXISTS channel_group LowCardinality(String) COMMENT 'Of the first touchpoint that has one, else Direct; empty: not known';
ALTER TABLE {{.DB}}_next.sessions
    ADD COLUMN IF NOT EXISTS channel_group LowCardinality(String) COMMENT 'Of the first touchpoint that has one, else Direct; empty: not known';
