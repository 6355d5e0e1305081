"""Small bundles that the tests write: three hospitals, one of which withheld its AUC, and a
fourth that released nothing."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Optional

STUDY = "chest-ct"

ESTIMATES = """\
schema_version,analysis,role,scope,site,site_role,model,endpoint,comparator,axis,level,threshold,\
prevalence,sensitivity,metric,scale,estimate,se,ci_low,ci_high,ci_level,pi_low,pi_high,tau2,\
tau2_low,tau2_high,i2,q,q_df,q_p,k_sites,weight,n,n_events,state,suppressed,reason,method,\
withheld_sites,bound_low,bound_high
fedval.estimates/1,auc.m.e,primary,pooled,,,m,e,,overall,overall,,,,auc,logit,0.8125,0.25,\
0.7000000000000001,0.89,0.95,0.55,0.94,0.1,0,2.5,40,3.5,1,0.06,2,100,410,,number,false,,\
"random-effects REML, HKSJ guarded",basel,0.6,0.9
fedval.estimates/1,auc.m.e,primary,site,aarau,external,m,e,,overall,overall,,,,auc,logit,0.75,0.2,\
0.65,0.83,0.95,,,,,,,,,,,60.5,210,80,number,false,,DeLong,,,
fedval.estimates/1,auc.m.e,primary,site,basel,external,m,e,,overall,overall,,,,auc,logit,,,,,0.95,\
,,,,,,,,,,,,,suppressed,true,hidden by disclosure rules,DeLong,,,
fedval.estimates/1,auc.m.e,primary,site,chur,external,m,e,,overall,overall,,,,auc,logit,0.875,0.3,\
0.75,,0.95,,,,,,,,,,,39.5,200,0,number,false,,DeLong,,,
fedval.estimates/1,auc.m.e.sex.women,secondary,pooled,,,m,e,,sex,women,,,,auc,logit,,,,,,,,,,,,,\
,,,,,,not-computed,false,No pool,,,,
fedval.estimates/1,sens.m.e.at-0.5,secondary,pooled,,,m,e,,overall,overall,0.5,,,sensitivity,\
logit,0.5,1e-14,0.25,inf,0.95,,,,,,,,,,,,,,number,false,,"say ""hm"", then\nmore",,,
fedval.estimates/1,sens.m.e.at-0.7,secondary,pooled,,,m,e,,overall,overall,0.7,,,sensitivity,\
logit,-0.25,,,,,,,,,,,,,,,,,,number,false,,'=cmd(),,,
"""
CURVES = """\
study,model,endpoint,scope,site,axis,level,curve,outcome,threshold,x,x_high,y,y_low,y_high,n
chest-ct,m,e,merged,,overall,overall,roc,,,0,,0,,,
chest-ct,m,e,merged,,overall,overall,roc,,0.5,0.1,,0.6000000000000001,0.5,0.7,
chest-ct,m,e,site,aarau,overall,overall,calibration-tenth,,,0.25,,0.2,0.1,0.3,12
"""
COUNTS = """\
study,table,endpoint,model,threshold,axis,scope,site,site_role,row,column,count,count_low,\
count_high,state,suppressed,reason
chest-ct,confusion,e,m,0.5,,site,aarau,external,positive,event,70,70,70,number,false,
chest-ct,confusion,e,m,0.5,,site,aarau,external,negative,event,,0,9,suppressed,true,\
hidden by disclosure rules
chest-ct,confusion,e,m,0.5,,site,chur,external,negative,event,0,0,0,zero,false,
"""
SITES = """\
study,site,display_name,site_role,outcome,profile,clustered,endpoint,n_analysed,n_patients,\
n_events,n_non_events,release,bytes
chest-ct,aarau,Aarau,external,released,standard,false,e,210,210,80,130,,
chest-ct,basel,Basel,external,released,standard,false,e,,,,,,
chest-ct,chur,"Chur, Graub\u00fcnden",external,released,standard,true,e,200,190,0,200,,
chest-ct,davos,Davos,external,not released under its own policy,,false,,,,,,,
"""
REPORT = '{"provenance":{"software":"fedval"},"schema":"fedval.report/1","study":{}}'


def files() -> dict[str, bytes]:
    """The files of a bundle, without its manifest."""
    texts = {"estimates.csv": ESTIMATES, "curves.csv": CURVES, "counts.csv": COUNTS,
             "sites.csv": SITES, "report.json": REPORT, "schema/report.schema.json": "{}"}
    return {name: text.encode() for name, text in texts.items()}


def manifest(of: dict[str, bytes], schema: str = "fedval.manifest/1") -> bytes:
    """The manifest of these files, in canonical form."""
    entries = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
               for name, data in of.items()}
    document = {"files": entries, "schema": schema}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def write(folder: Path, of: Optional[dict[str, bytes]] = None,
          listed: Optional[bytes] = None) -> Path:
    """Writes a bundle into `folder`, with a manifest of its files unless one is given."""
    of = files() if of is None else of
    for name, data in {**of, "manifest.json": manifest(of) if listed is None else listed}.items():
        path = folder / name
        os.makedirs(path.parent, exist_ok=True)
        path.write_bytes(data)
    return folder
