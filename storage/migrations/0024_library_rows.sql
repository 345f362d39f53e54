-- What is known of a library goes with it: of an account that leaves no path stays behind.

ALTER TABLE pinakes_files
    ADD FOREIGN KEY (scope) REFERENCES pinakes_libraries (scope) ON DELETE CASCADE;
ALTER TABLE pinakes_contents
    ADD FOREIGN KEY (scope) REFERENCES pinakes_libraries (scope) ON DELETE CASCADE;
ALTER TABLE pinakes_pending
    ADD FOREIGN KEY (scope) REFERENCES pinakes_libraries (scope) ON DELETE CASCADE;
ALTER TABLE pinakes_conflicts
    ADD FOREIGN KEY (scope) REFERENCES pinakes_libraries (scope) ON DELETE CASCADE;
ALTER TABLE pinakes_woven
    ADD FOREIGN KEY (scope) REFERENCES pinakes_libraries (scope) ON DELETE CASCADE;
